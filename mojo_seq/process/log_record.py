"""A log record on its way from a process to the one that started it.

The receiver builds nothing but plain values from it, so that a child can make its parent log but
not run code.
"""

from __future__ import annotations

import io
import logging
import pickle
from contextlib import suppress

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any, Never

_formatter = logging.Formatter()


class _PlainPickler(pickle.Pickler):
    def reducer_override(self, obj: object) -> Never:
        """Called for all but numbers, strings, None and the standard containers."""
        raise pickle.PicklingError(f"{type(obj).__name__} is not plain")


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Never:
        raise pickle.UnpicklingError(f"{module}.{name} is not plain")


def encode(record: logging.LogRecord) -> bytes:
    """The record with all that it says; its traceback and what is not plain become text."""
    fields = dict(vars(record))
    if record.exc_info and not record.exc_text:
        fields["exc_text"] = _formatter.formatException(record.exc_info)
    fields["exc_info"] = None
    with suppress(pickle.PicklingError, RecursionError):
        return _dumps(fields)
    if not (_is_plain(record.msg) and _is_plain(record.args)):
        fields["msg"] = record.getMessage()
        fields["args"] = None
    return _dumps(
        {name: value if _is_plain(value) else _text(value) for name, value in fields.items()}
    )


def decode(payload: bytes) -> logging.LogRecord:
    """The record that was encoded.

    Raises:
        ValueError: it is no record.
    """
    try:
        fields = _PlainUnpickler(io.BytesIO(payload)).load()
    except Exception as error:  # whatever bytes can make the unpickler do
        raise ValueError("what came is no log record") from error
    if not (
        isinstance(fields, dict)
        and all(isinstance(name, str) for name in fields)
        and isinstance(fields.get("name"), str)
        and isinstance(fields.get("levelno"), int)
    ):
        raise ValueError("what came is no log record")
    return logging.makeLogRecord(fields)


def _dumps(value: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    _PlainPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


def _is_plain(value: object) -> bool:
    try:
        _dumps({"": value})
    except (pickle.PicklingError, RecursionError):
        return False
    return True


def _text(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # what a record carries beside its text must not cost the record
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"
