"""A call as text, for errors: what was called, and with what if that is short."""

from __future__ import annotations

import reprlib
from functools import partial
from types import BuiltinFunctionType, FunctionType, NoneType

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_LONGEST = 200


class _Repr(reprlib.Repr):
    """Asks no object of others for its text: that may be long, slow, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 40
        self.maxlevel = 2

    def repr_instance(self, x: Any, level: int) -> str:
        if isinstance(x, bool | float | complex | NoneType):
            return repr(x)
        if isinstance(x, bytes | bytearray):
            return repr(bytes(x[:20])) + ("..." if len(x) > 20 else "")
        if isinstance(x, type | FunctionType | BuiltinFunctionType):
            return x.__qualname__
        return f"<{type(x).__qualname__}>"


_short = _Repr()


def name_of(fn: Any) -> str:
    """A function's name, with its module."""
    while isinstance(fn, partial) or hasattr(fn, "__wrapped__"):
        fn = fn.func if isinstance(fn, partial) else fn.__wrapped__
    name = getattr(fn, "__qualname__", None)
    if not isinstance(name, str):
        return f"{type(fn).__module__}.{type(fn).__qualname__}"
    module = getattr(fn, "__module__", None)
    return f"{module}.{name}" if isinstance(module, str) else name


def describe(
    fn: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> str:
    """`module.function(1, 'two', three=<ndarray>)`."""
    try:
        parts = [_short.repr(each) for each in args]
        parts += [f"{name}={_short.repr(value)}" for name, value in kwargs.items()]
    except Exception:
        parts = ["..."]
    text = ", ".join(parts)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return f"{name_of(fn)}({text})"
