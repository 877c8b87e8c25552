"""The actors of the tests: importable wherever an actor may be placed, with arguments that travel.

What they do is seen by tests through the refs that they are given: a `Journal` hears of it, a
`Gate` holds them. So the same test holds on threads, event loops and in other processes.
"""

from troupe.gate import Gate
from troupe.journal import TIMEOUT, Journal, note

__all__ = ["TIMEOUT", "Gate", "Journal", "note"]
