"""TaskFeeder: gives what waits in a pool's queue to its workers, many short tasks at once."""

from __future__ import annotations

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.pool.answers import _Failed
    from mojo_seq.pool.dispatcher import Dispatcher
    from mojo_seq.pool.pool_task import PoolTask
    from mojo_seq.pool.task_link import TaskLink

_AHEAD = 1000.0  # microseconds of work that a worker may have in its pipe besides what it is at
_MOST_AHEAD = 500
_LEAST_SHARE = 2
_WEIGHT = 0.25  # of the newest in the mean of times


class TaskFeeder:
    """Of one dispatcher. On its thread, which Ctrl-C does not interrupt, with its lock held.

    Attributes:
        depth: how many tasks may be in the pipe of a worker: as many as it takes a moment to run,
            so that it does not have to wait for the next.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.depth = 1
        self._dispatcher = dispatcher
        self._micros: float | None = None  # that a task takes

    def note_time(self, micros: float) -> None:
        """Tasks have taken so long, in the mean."""
        mean = self._micros
        self._micros = mean = micros if mean is None else mean + _WEIGHT * (micros - mean)
        self.depth = 1 + min(_MOST_AHEAD, int(_AHEAD / max(1.0, mean)))

    def fill(self, link: TaskLink, failed: list[_Failed]) -> PoolTask | None:
        """Gives a worker what it has room for.

        Returns:
            A task to be prepared for this worker without the lock, and then it goes on; None: that
            was all.
        """
        queue = self._dispatcher.queue
        if not queue:
            return None
        depth = 1 if link.is_stale else min(self.depth, self._share_of_each())
        while queue and (room := link.room(depth)) > 0:
            if self._fill_plain(link, room, failed):
                continue
            if queue and self._is_to_be_prepared(queue[0], link):
                return queue[0]
            if not self._fill_one(link, failed):
                return None
        return None

    def _is_to_be_prepared(self, task: PoolTask, link: TaskLink) -> bool:
        if task.plain is not None or task.is_prepared or task.is_revoked:
            return False
        return not link.sent or task.is_movable  # else it is for another worker

    def _share_of_each(self) -> int:
        """How many tasks a worker may have, so that the last ones are left for who is first."""
        links = self._dispatcher.links
        total = len(self._dispatcher.queue) + sum([len(link.sent) for link in links])
        return max(_LEAST_SHARE, total // (2 * len(links) or 1))

    def _fill_plain(self, link: TaskLink, room: int, failed: list[_Failed]) -> bool:
        """What needs no more than being written, as one batch. False: there is nothing of that, or
        it could not be written."""
        queue = self._dispatcher.queue
        tasks: list[PoolTask] = []
        messages: list[bytes] = []
        while queue and len(tasks) < room:
            task = queue[0]
            if task.is_revoked:
                failed.append((queue.popleft(), None))
                continue
            message = task.plain
            if message is None:
                break
            queue.popleft()
            if task.timeout is not None:
                self._dispatcher.timers.start(task)
            tasks.append(task)
            messages.append(message)
        if tasks:
            try:
                link.send_plain(tasks, messages)
                return True
            except _core.MojoError:
                queue.extendleft(reversed(tasks))  # to be tried one by one
        return False

    def _fill_one(self, link: TaskLink, failed: list[_Failed]) -> bool:
        """The next in the queue. False: it cannot be given to this worker now."""
        queue = self._dispatcher.queue
        if not queue:
            return False
        task = queue.popleft()
        if task.is_revoked:
            failed.append((task, None))
            return True
        if link.sent and not task.is_movable:
            queue.appendleft(task)
            return False
        try:
            if not self._dispatcher.try_send(link, task):
                queue.appendleft(task)
                return False
        except Exception as error:
            failed.append((task, error))
        return True

    def spread(self, failed: list[_Failed]) -> tuple[PoolTask, TaskLink] | None:
        """Gives to all workers what there is, and starts some if there are too few. Returns what
        `fill` does, and for which worker."""
        dispatcher = self._dispatcher
        queue, links = dispatcher.queue, dispatcher.links
        dispatcher.has_moved = False
        for link in sorted(links, key=length):
            large = self.fill(link, failed)
            if large is not None:
                return large, link
            dispatcher.retire_spent(link)
        while queue and len(links) < dispatcher.size and dispatcher.broken is None:
            if queue[0].is_revoked:
                failed.append((queue.popleft(), None))
                continue
            try:
                opened = dispatcher.open_link()
            except Exception as error:
                if not links:
                    failed += [(task, error) for task in queue]
                    queue.clear()
                return None
            if opened is None:
                return None
            large = self.fill(opened, failed)
            if large is not None:
                return large, opened
        return None


def length(link: TaskLink) -> int:
    """How many tasks are in a worker's pipe."""
    return len(link.sent)
