"""How calls are pickled: as a rule by name, else by value if cloudpickle is installed."""

from __future__ import annotations

import importlib.util
import pickle

from mojo_seq import _core
from mojo_seq.pool.function_name import FunctionNamer
from mojo_seq.pool.task_wire import LONGEST_NAME, NEVER, TASK, TIMED
from mojo_seq.process.object_codec import encode

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.process.object_codec import Encoded

_GENERATOR = 0x20 | 0x200  # as inspect has them
_COROUTINE = 0x80


def check_callable(fn: Any) -> None:
    """Raises TypeError for what cannot be called, or not with a result that can be sent."""
    if not callable(fn):
        raise TypeError(f"{fn!r} is not callable")
    try:
        flags = fn.__code__.co_flags
    except AttributeError:
        return
    if flags & _GENERATOR:
        raise TypeError(f"{fn.__qualname__} is a generator function: use stream()")
    if flags & _COROUTINE:
        raise TypeError(f"{fn.__qualname__} is a coroutine function, which a worker does not run")


class CallEncoder:
    """Makes the messages of calls. Any thread."""

    __slots__ = ("_namer", "_usual")

    def __init__(self) -> None:
        self._namer = FunctionNamer()
        self._usual = (b"", b"")  # a name, and what follows the arguments in the usual message

    def encode(
        self,
        fn: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        deadline: float | None,
        is_timed: bool,
    ) -> bytes | Encoded:
        """Encodes a call, as bytes if there is nothing to be sent but a few of those.

        What pickle refuses, such as lambdas, closures and what an interactive session has defined,
        cloudpickle is asked for.

        Args:
            deadline: when it has to be over; None: never.
            is_timed: whether the board is to say when it begins.

        Raises:
            Whatever the pickling raises, with a note that gives the path of the offending object.
        """
        name = self._namer.name_of(fn)
        if name is None or len(name) > LONGEST_NAME:
            suffix = _suffix(b"", deadline, is_timed)
            return _encode_with_path((fn, args, kwargs), suffix, fn, args, kwargs)
        if deadline is None and not is_timed:
            known, suffix = self._usual
            if known is not name:
                suffix = _suffix(name, None, False)
                self._usual = (name, suffix)
        else:
            suffix = _suffix(name, deadline, is_timed)
        message = _core.plain_call(args, kwargs, suffix)
        if message is not None:
            return message
        return _encode_with_path((args, kwargs), suffix, fn, args, kwargs)


def _suffix(name: bytes, deadline: float | None, is_timed: bool) -> bytes:
    flags = TIMED if is_timed else 0
    return name + TASK.pack(NEVER if deadline is None else deadline, flags, len(name))


def _encode_with_path(
    call: tuple[Any, ...],
    suffix: bytes,
    fn: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> bytes | Encoded:
    def parts() -> dict[str, object]:
        named = {f"args[{number}]": each for number, each in enumerate(args)}
        return {
            "the function": fn,
            **named,
            **{f"kwargs[{name!r}]": kwargs[name] for name in kwargs},
        }

    try:
        encoded = encode(call, suffix, parts, read_only=True)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        pickler = _cloud_pickler()
        if pickler is None:
            error.add_note("Functions and classes that have no name there need cloudpickle.")
            raise
        try:
            encoded = encode(call, suffix, parts, pickler=pickler, read_only=True)
        except Exception as another:
            raise another from None
    encoded.keep = True  # for another worker, if one dies or has too much to do
    plain = encoded.plain
    return encoded if plain is None else plain


def _cloud_pickler() -> Any:
    """cloudpickle's class; None: it is not installed."""
    if importlib.util.find_spec("cloudpickle") is None:
        return None
    import cloudpickle

    return cloudpickle.CloudPickler
