"""The name of a function in a task's message, in the place of a pickle of it.

A pickle of a module's function is nothing but its name, too, but takes both sides several times as
long as everything else that there is in a short call.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pickle import Unpickler
from types import BuiltinFunctionType, FunctionType

from mojo_seq.process import main_module

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MOST_KNOWN = 1000  # names; there are more only if somebody makes functions by the thousand
_modules = sys.modules


class FunctionNamer:
    """The sender's side; remembers the last function. Any thread."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[object, str, str, bytes] = (None, "", "", b"")

    def name_of(self, fn: Callable[..., object]) -> bytes | None:
        """The name by which another interpreter finds it; None: it has to be pickled.

        What pickle would find now under this name is looked at each time: a function that was
        replaced there meanwhile is for pickle to refuse.
        """
        last, module, name, known = self._last
        if last is not fn:
            if type(fn) is not FunctionType and type(fn) is not BuiltinFunctionType:
                return None
            module, name = fn.__module__, fn.__qualname__
            if type(module) is not str or type(name) is not str:
                return None
            if module in main_module.NAMES and not main_module.is_importable():
                return None
            known = f"{module}\0{name}".encode(errors="surrogatepass")
        found = _modules.get(module)
        if found is None or getattr(found, "__dict__", {}).get(name) is not fn:
            return None
        if last is not fn:
            self._last = (fn, module, name, known)
        return known


class FunctionFinder:
    """The receiver's side. One thread."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, str]] = {}

    def find(self, known: bytes) -> Any:
        """The function that has the name now.

        Raises:
            Whatever unpickling it raises: ImportError, AttributeError.
        """
        parts = self._known.get(known)
        if parts is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            module, _, name = known.decode(errors="surrogatepass").partition("\0")
            parts = self._known[known] = (module, name)
        try:
            return _modules[parts[0]].__dict__[parts[1]]
        except (KeyError, AttributeError):  # not imported yet, or it has a way of its own
            return Unpickler(BytesIO()).find_class(*parts)
