"""DeadlockError: in a TaskEnvironment, nothing can go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import FrameType

from mojo_seq.sequence import SequencedTaskRunner

_Wait = tuple[str, SequencedTaskRunner | None, FrameType | None]
_Blocked = tuple[SequencedTaskRunner | None, int]

# Whose frames stand between a blocking call and who made it.
_PASSED_ON = ("mojo_seq.", "concurrent.futures.", "contextlib", "threading")


class DeadlockError(RuntimeError):
    """A blocking call in a TaskEnvironment would never have returned.

    The text lists the calls that wait, the innermost first, and the sequences that have tasks but
    cannot run them.
    """


def report(
    reason: str, waits: Sequence[_Wait], blocked: Sequence[_Blocked], order: str
) -> DeadlockError:
    """Makes the error that `Environment.deadlocked` raises."""
    lines = [f"{reason}, and these wait:"]
    for number, (what, runner, frame) in enumerate(reversed(waits)):
        if number == len(waits) - 1:
            who = "the test"
        else:
            who = "a parallel task" if runner is None else f"a task of {runner!r}"
        below = " (can only go on when those above have)" if number else ""
        lines.append(f"  {who} for {what}{_location(frame)}{below}")
    for runner, count in blocked:
        tasks = "1 task" if count == 1 else f"{count} tasks"
        owner = "a sequence" if runner is None else repr(runner)
        lines.append(f"  {tasks} of {owner}, which cannot run {'it' if count == 1 else 'them'} now")
    lines.append(f"in the order of {order}")
    return DeadlockError("\n".join(lines))


def _location(frame: FrameType | None) -> str:
    for each in _outwards(frame):
        if not f"{each.f_globals.get('__name__')}.".startswith(_PASSED_ON):
            return f", {each.f_code.co_filename}:{each.f_lineno} in {each.f_code.co_name}"
    return ""


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
