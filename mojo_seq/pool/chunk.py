"""Chunks: several calls in one task, each with a result, or an exception, of its own."""

from __future__ import annotations

from mojo_seq.process.remote_traceback import Failure

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Raised:
    """In the place of a result: the exception that a call has raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class CallEach:
    """What runs in the worker: the function, with each tuple of arguments.

    Attributes:
        __wrapped__: the function; what errors speak of.
    """

    __slots__ = ("__wrapped__",)

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.__wrapped__ = fn

    def __call__(self, calls: Sequence[tuple[Any, ...]]) -> tuple[list[Any], tuple[int, ...]]:
        """An exception ends none of the other calls, unless it is one that ends processes.

        Returns:
            The results, and which of them are exceptions that were raised.
        """
        fn = self.__wrapped__
        results: list[Any] = []
        failed: list[int] = []
        for arguments in calls:
            try:
                results.append(fn(*arguments))
            except Exception as error:
                failed.append(len(results))
                results.append(Failure(error))
        return results, tuple(failed)

    def __reduce__(self) -> tuple[Any, ...]:
        return CallEach, (self.__wrapped__,)


def outcomes(chunk: tuple[list[Any], tuple[int, ...]]) -> list[Any]:
    """What `CallEach` has returned, on the other side: results, and what was Raised."""
    results, failed = chunk
    for number in failed:
        results[number] = Raised(results[number])
    return results
