"""DeadlockError and NestingError: in a TaskEnvironment, nothing can go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TypeAlias

from mojo_seq.sequence import SequencedTaskRunner

# Description, whose, where; and whether it could go on, were it not for those above it.
Wait: TypeAlias = tuple[str, SequencedTaskRunner | None, FrameType | None, bool]
Blocked: TypeAlias = tuple[SequencedTaskRunner | None, int]

# Whose frames stand between a blocking call and who made it.
_PASSED_ON = ("mojo_seq.", "concurrent.futures.", "contextlib.", "threading.")


class DeadlockError(RuntimeError):
    """A blocking call in a TaskEnvironment would never have returned.

    The text lists the calls that wait, the innermost first, and the sequences that have tasks but
    cannot run them.
    """


class NestingError(RuntimeError):
    """A schedule that is possible with threads, but not on one stack.

    A task waits for something that is to come from another one, which could go on, but is below
    it on the stack: it waited, too, when this one was begun. Another seed may do. The text is
    that of a DeadlockError.
    """


def report(
    reason: str, waits: Sequence[Wait], blocked: Sequence[Blocked], order: str
) -> DeadlockError | NestingError:
    """Makes the error that `Environment.deadlocked` raises."""
    lines = [f"{reason}, and these wait:"]
    nested = False
    for number, (what, runner, frame, could_go_on) in enumerate(reversed(waits)):
        if number == len(waits) - 1:
            who = "the test"
        else:
            who = "a parallel task" if runner is None else f"a task of {runner!r}"
        nested |= could_go_on
        note = ", and could go on, but those above are on its stack" if could_go_on else ""
        lines.append(f"  {who} for {what}{_location(frame)}{note}")
    for runner, count in blocked:
        tasks = "1 task" if count == 1 else f"{count} tasks"
        owner = "a sequence" if runner is None else repr(runner)
        lines.append(f"  {tasks} of {owner}, which cannot run {'it' if count == 1 else 'them'} now")
    lines.append(f"in the order of {order}")
    return (NestingError if nested else DeadlockError)("\n".join(lines))


def _location(frame: FrameType | None) -> str:
    for each in _outwards(frame):
        if not f"{each.f_globals.get('__name__')}.".startswith(_PASSED_ON):
            return f", {each.f_code.co_filename}:{each.f_lineno} in {each.f_code.co_name}"
    return ""


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
