"""Why something cannot be pickled for another process: the path of the object that is to blame."""

from __future__ import annotations

import copyreg
import io
import pickle
from types import FunctionType

from mojo_seq.process import main_module
from mojo_seq.process.encoding import Encoder, here

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_STEPS = 2000  # objects to be tried before nothing more is said
_LONGEST_KEY = 60


class _TrialPickler(pickle.Pickler):
    """Refuses what is defined in a main module that another interpreter cannot import.

    Args:
        known: by id, objects that are to be taken for such as can be pickled.
    """

    def __init__(self, encoder: Encoder, known: dict[int, object]) -> None:
        super().__init__(io.BytesIO(), 5, buffer_callback=encoder.take_buffer)
        self._known = known
        self._has_main = main_module.is_importable()

    def persistent_id(self, obj: object) -> int | None:
        if id(obj) in self._known:
            return 0
        if (
            not self._has_main
            and isinstance(obj, FunctionType | type)
            and obj.__module__ in main_module.NAMES
        ):
            raise main_module.not_importable(obj)
        return None


def check_main(obj: object, pickled: bytes) -> None:
    """To be called if the main module cannot be imported elsewhere.

    Raises:
        pickle.PicklingError: `obj` needs something of it.
    """
    if any(name.encode() in pickled for name in main_module.NAMES):
        _try(obj, {})


def explain(error: Exception, parts: dict[str, object]) -> None:
    """Adds a note to the error that pickling the parts raised: where the offending object is."""
    search = _Search()
    for name, part in parts.items():
        if search.fails(part):
            path, offender = search.descend(name, part)
            error.add_note(f"This is about {path}, of the type {type(offender).__qualname__}.")
            return


class _Search:
    def __init__(self) -> None:
        self._steps = 0
        # On the way to where the search is: cycles lead back to them. And so no number comes again.
        self._seen: dict[int, object] = {}

    def fails(self, obj: object) -> bool:
        self._steps += 1
        try:
            _try(obj, self._seen)
        except Exception:
            return True
        return False

    def descend(self, path: str, obj: object) -> tuple[str, object]:
        """The innermost object that cannot be pickled by itself, on the way down from `obj`."""
        while True:
            self._seen[id(obj)] = obj
            for step, inner in _parts_of(obj):
                if self._steps > _MOST_STEPS:
                    return path, obj
                if self.fails(inner):
                    path, obj = path + step, inner
                    break
            else:
                return path, obj


def _try(obj: object, known: dict[int, object]) -> None:
    outer = here.encoder
    encoder = here.encoder = Encoder(trial=True)
    try:
        _TrialPickler(encoder, known).dump(obj)
    finally:
        here.encoder = outer


def _parts_of(obj: object) -> Iterator[tuple[str, object]]:
    match obj:
        case dict():
            for key, value in obj.items():
                text = repr(key)
                yield f"[{text if len(text) < _LONGEST_KEY else '…'}]", value
            for key in obj:
                yield " (a key)", key
        case list() | tuple():
            for number, each in enumerate(obj):
                yield f"[{number}]", each
        case set() | frozenset():
            for each in obj:
                yield " (a member)", each
        case type() | FunctionType():
            return
        case _:
            yield from _fields_of(obj)


def _fields_of(obj: object) -> Iterator[tuple[str, object]]:
    for name, value in getattr(obj, "__dict__", {}).items():
        yield f".{name}", value
    for name in copyreg._slotnames(type(obj)):  # type: ignore[attr-defined]
        if hasattr(obj, name):
            yield f".{name}", getattr(obj, name)
    if isinstance(obj, BaseException):
        for number, each in enumerate(obj.args):
            yield f".args[{number}]", each
