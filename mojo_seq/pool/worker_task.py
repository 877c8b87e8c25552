"""WorkerTask: the task that a worker runs, as what it calls sees it."""

from __future__ import annotations

from mojo_seq.pool.task_wire import ANSWER, ITEM
from mojo_seq.process.object_codec import encode
from mojo_seq.sequence.running_task import TaskState

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq import _core
    from mojo_seq.pool.board import Board

_ITEM = ANSWER.pack(0, ITEM)


class WorkerTask(TaskState):
    """Any thread of the worker. Nobody tells it of a cancellation: whoever waits looks."""

    poll = 0.02

    def __init__(
        self, pipe: _core.MessagePipeHandle, board: Board, number: int, deadline: float | None
    ) -> None:
        super().__init__(None, deadline)
        self._pipe = pipe
        self._board = board
        self._number = number

    def _told(self) -> bool:
        return not self._ended and self._board.is_cancelled(self._number)

    def send_item(self, item: object) -> None:
        """Sends something to the pool's process before the result; nothing happens after that.

        Raises:
            Whatever the pickling raises.
        """
        encoded = encode(item, _ITEM, read_only=True)
        if self._ended:
            encoded.abandon()
        else:
            encoded.write_to(self._pipe)
