"""HostedReply: the reply of an ask that came from another process."""

from __future__ import annotations

from mojo_seq.actor.reply import Reply

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.remote.accepted import Accepted


class HostedReply(Reply):
    """Goes back to the client when it is complete."""

    def __init__(self, accepted: Accepted, ask: int) -> None:
        super().__init__()
        self._accepted = accepted
        self._ask = ask
        self.add_done_callback(HostedReply._send)

    def _send(self) -> None:
        self._accepted.answer(self, self._ask)
