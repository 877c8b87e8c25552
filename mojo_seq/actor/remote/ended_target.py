"""EndedTarget: an actor that has ended before a ref to it came home, or that has no way to it."""

from __future__ import annotations

from mojo_seq.actor.remote.connection import dead_error
from mojo_seq.actor.remote.description import Described

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.observers import EndObserver
    from mojo_seq.actor.reasons import StopReason
    from mojo_seq.actor.remote.description import Description
    from mojo_seq.actor.reply import Reply


class EndedTarget(Described):
    """Fails all asks. Any thread.

    Args:
        is_alive: it has not ended, as far as is known, but cannot be reached from here.
    """

    def __init__(
        self, description: Description, reason: StopReason, is_alive: bool = False
    ) -> None:
        self.description = description
        self.is_alive = is_alive
        self._reason = reason

    def send(
        self,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        reply: Reply[Any] | None,
    ) -> None:
        if reply is not None:
            reply.fail(dead_error(self._reason, self.description))

    def park(self, envelope: Any) -> None:
        """Nothing is ever held back."""

    def stop(self) -> None:
        """Nothing is left to do."""

    kill = stop

    def stop_linked(self, error: BaseException | None) -> None:
        """The same."""

    def watch_end(self, observer: EndObserver) -> None:
        observer.on_down(self.identity, self._reason)

    def unwatch_end(self, observer: EndObserver) -> None:
        """It was told at once."""
