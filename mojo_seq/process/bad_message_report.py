"""BadMessageReport: what `on_error` is told."""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import NamedTuple

    class BadMessageReport(NamedTuple):
        reason: str
        pid: int

else:
    BadMessageReport = namedtuple("BadMessageReport", "reason pid", module="mojo_seq")
    BadMessageReport.__doc__ = """What was wrong with a message, and which process had sent it.

    Disconnects are not reported: they are seen as PEER_CLOSED.
    """
    BadMessageReport.reason.__doc__ = "What `Message.notify_bad` was called with."
    BadMessageReport.pid.__doc__ = "The sender, as it sees itself."
