"""Child processes for the tests: importable in the child, unlike the tests themselves.

A `Puppet` is a process that does what a test tells it, one call after the other; so both sides of a
test stand in one place, the test, and follow one another without any sleep.
"""

from puppets.puppet import Puppet, Remote
from puppets.wire import TIMEOUT, Moved

__all__ = ["TIMEOUT", "Moved", "Puppet", "Remote"]
