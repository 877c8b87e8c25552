"""Leaving a `with` block shuts down what it was entered with."""

from __future__ import annotations

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class ShutDownAtExit:
    """A part of what has a `shutdown()`."""

    __slots__ = ()

    def shutdown(self) -> None:
        """Ends it, and waits for that."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()


class ShutDownAtAsyncExit(ShutDownAtExit):
    """The same for `async with`, which blocks no event loop."""

    __slots__ = ()

    async def shutdown_async(self) -> None:
        """The same as `shutdown`, for coroutines."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown_async()
