"""Exceptions that travel: with the traceback they had, as text, and in any case as something."""

from __future__ import annotations

import pickle
import traceback

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any


class RemoteTraceback(Exception):
    """The cause of an exception that came from another process, or of its first cause there: its
    traceback, as text."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class RemoteError(_core.MojoError):
    """In the place of an exception of another process that could not be pickled, or not be made
    here; its traceback is the cause's.

    Attributes:
        type_name: its class, with the module.
    """

    result = _core.Result.UNKNOWN

    def __init__(self, message: str, type_name: str = "") -> None:
        super().__init__(message, type_name)
        self.type_name = type_name

    def __str__(self) -> str:
        return f"{self.type_name}: {self.args[0]}"


class Failure:
    """Stands for an exception in what is encoded; decoding it gives the exception."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        error = self.error
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        try:
            # By itself, so that whoever cannot make it again still learns of the rest.
            pickled = pickle.dumps(error, 5)
        except Exception:
            pickled = None
        cause = error.__cause__
        inner = None if cause is None or isinstance(cause, RemoteTraceback) else Failure(cause)
        return load_failure, (pickled, kind, _text_of(error), text, inner)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as another:
        return f"<its text cannot be had: {type(another).__name__}>"


def load_failure(
    pickled: bytes | None, kind: str, message: str, text: str, cause: BaseException | None
) -> BaseException:
    """What is pickled in the place of an exception."""
    error: BaseException | None = None
    if pickled is not None:
        try:
            error = pickle.loads(pickled)
        except Exception:
            error = None
    if not isinstance(error, BaseException):
        error = RemoteError(message, kind)
    error.__cause__ = RemoteTraceback(text) if cause is None else cause
    return error
