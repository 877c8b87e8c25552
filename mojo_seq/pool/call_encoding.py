"""How calls are pickled: as a rule by name, else by value if cloudpickle is installed."""

from __future__ import annotations

import importlib.util
import pickle

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
    code = getattr(fn, "__code__", None)
    flags = getattr(code, "co_flags", 0)
    if flags & _GENERATOR:
        raise TypeError(f"{fn.__qualname__} is a generator function: use stream()")
    if flags & _COROUTINE:
        raise TypeError(f"{fn.__qualname__} is a coroutine function, which a worker does not run")


def encode_call(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any], suffix: bytes
) -> Encoded:
    """Pickles a call. What pickle refuses, such as lambdas, closures and what an interactive
    session has defined, cloudpickle is asked for.

    Raises:
        Whatever the pickling raises, with a note that gives the path of the offending object.
    """

    def parts() -> dict[str, object]:
        named = {f"args[{number}]": each for number, each in enumerate(args)}
        return {
            "the function": fn,
            **named,
            **{f"kwargs[{name!r}]": kwargs[name] for name in kwargs},
        }

    call = (fn, args, kwargs)
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
    return encoded


def _cloud_pickler() -> Any:
    """cloudpickle's class; None: it is not installed."""
    if importlib.util.find_spec("cloudpickle") is None:
        return None
    import cloudpickle

    return cloudpickle.CloudPickler
