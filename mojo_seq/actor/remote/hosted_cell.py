"""HostedCell: an actor of another process's system that runs here, in a worker process."""

from __future__ import annotations

from mojo_seq.actor.cell import LocalCell
from mojo_seq.actor.remote import wire
from mojo_seq.process.object_codec import encode
from mojo_seq.process.remote_traceback import Failure

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.actor.remote.host import Host


class HostedCell(LocalCell):
    """Is known by its number at home, and has its home decide about it."""

    __slots__ = ("box", "home_number", "host")

    is_placed = True
    is_hosted = True

    def __init__(self, host: Host, home_number: int, box: tuple[int, str], **what: Any) -> None:
        super().__init__(**what, upward=host)
        self.box = box
        self.host = host
        self.home_number = home_number

    @property
    def identity(self) -> tuple[bytes, int]:
        """(id of its home, number there)."""
        return self.host.home_id, self.home_number

    def link(self, ref: ActorRef[Any]) -> None:
        """See Actor. A ref to itself may have come from elsewhere."""
        if getattr(ref, "_target", None) is None or ref._target.identity != self.identity:
            super().link(ref)

    def stop(self) -> None:
        """See ActorRef; the home does it, but takes its time to say so."""
        self.stopping = True
        self.wake_senders()
        self.host.home.command(wire.STOP, self.home_number)

    def kill(self) -> None:
        """The same."""
        self.close()
        self.host.home.command(wire.KILL, self.home_number)

    def stop_linked(self, error: BaseException | None) -> None:
        """An actor that it is linked to has failed."""
        what = None if error is None else Failure(error)
        suffix = wire.pack_suffix(wire.LINKED, self.home_number, 0)
        self.host.home.write(encode(what, suffix))

    def _on_dead_letter(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> None:
        self.host.report_dead_letter(self, method, args)
