"""interleaved: an `async def` method that other messages do not wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

F = TypeVar("F", bound="Callable[..., Any]")

_MARK = "__mojo_interleaved__"


def interleaved(method: F) -> F:
    """Lets the actor handle other messages while this `async def` method awaits something.

    Without it an actor handles one message at a time, so that nothing it knows changes during an
    `await`. With it other messages are handled meanwhile, on the same sequence: between two awaits
    nothing else runs, but across one everything may have changed.
    """
    from inspect import iscoroutinefunction

    if not iscoroutinefunction(method):
        raise TypeError(f"interleaved is for `async def` methods, not {method!r}")
    setattr(method, _MARK, True)
    return method


def is_interleaved(actor_class: type, method: object) -> bool:
    """Whether a message or a callback lets others run.

    Args:
        method: a name, or a callback: that of a timer, a watch or a monitor, which has in its
            `_wrapped` what is really called.
    """
    if isinstance(method, str):
        return getattr(getattr(actor_class, method, None), _MARK, False)
    owner = getattr(method, "__self__", None)
    return getattr(getattr(owner, "_wrapped", method), _MARK, False)
