"""The exceptions that a cancellation is known by."""

from __future__ import annotations

import sys

from mojo_seq import _core

_ELSEWHERE = (
    ("concurrent.futures", "CancelledError"),
    ("asyncio", "CancelledError"),
    ("trio", "Cancelled"),
)


def is_cancelled_error(error: BaseException | None) -> bool:
    """Whether it is what a cancelled task raises: ours, what the result of a cancelled future
    raises, or an event loop's."""
    if error is None or isinstance(error, _core.CancelledError):
        return error is not None
    # They need not be imported for this: who raises one has done so.
    return any(
        (module := sys.modules.get(name)) is not None and isinstance(error, getattr(module, kind))
        for name, kind in _ELSEWHERE
    )


def is_exit(error: BaseException | None) -> bool:
    """Whether it goes through a group as it is, as in asyncio."""
    return isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
