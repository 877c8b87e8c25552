"""What runs in processes that tests of actors start: programs with no actor system, and actors."""

from strangers.actors import Arrays, Depot, Finder, Friend, Watching
from strangers.programs import ask_and_report, ask_over_pipe, report

__all__ = [
    "Arrays",
    "Depot",
    "Finder",
    "Friend",
    "Watching",
    "ask_and_report",
    "ask_over_pipe",
    "report",
]
