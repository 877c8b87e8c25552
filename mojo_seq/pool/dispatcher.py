"""Dispatcher: gives a pool's tasks to its workers, and takes them back."""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic

from mojo_seq import _core
from mojo_seq.pool.answer_thread import AnswerThread
from mojo_seq.pool.broken_pool_error import BrokenPoolError
from mojo_seq.pool.task_feeder import TaskFeeder, length
from mojo_seq.pool.task_link import TaskLink
from mojo_seq.pool.task_timers import TaskTimers

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.pool.pool_task import PoolTask
    from mojo_seq.pool.worker_fleet import WorkerFleet

_MOST_AHEAD_ALONE = 16  # that are sent one by one
_STALE = 0.002  # seconds without an answer after which such work is given to others
_MOST_LOSSES = 20  # of workers that die with a task before they have begun it


class Dispatcher:
    """The queue of a pool and the pipes of its workers. Any thread; the lock is held for moments.

    A task goes to an idle worker at once, from the thread that submits it. If there is none, one
    more is started; else short tasks go into the pipes of busy workers, so that they stream, and
    the others wait in the queue. What waits in a pipe behind a task that turns out to be long is
    taken back. Finalizers may cancel tasks at any point, so the lock is reentrant.

    Args:
        fleet: the workers.
        size: how many.
        most_tasks: that one worker runs before it is replaced; None: any number.
    """

    def __init__(self, fleet: WorkerFleet, size: int, most_tasks: int | None) -> None:
        self.fleet = fleet
        self.size = size
        self._most_tasks = most_tasks
        self.lock = threading.RLock()
        self.queue: deque[PoolTask] = deque()  # lock, as all the rest
        self.links: list[TaskLink] = []
        self.timers = TaskTimers(self)
        self.feeder = TaskFeeder(self)
        self.closing = False
        self.broken: BrokenPoolError | None = None
        self.has_moved = False  # something is in the queue that was taken back
        self._thread: AnswerThread | None = None

    # Any thread.

    def check_open(self) -> None:
        """Raises ShutdownError or BrokenPoolError if no tasks are taken."""
        self.fleet.check_open()
        if self.closing:
            raise _core.ShutdownError("the pool was shut down")
        if self.broken is not None:
            raise self.broken_error()

    def broken_error(self) -> BrokenPoolError:
        """One for each who gets it, with a traceback of its own."""
        assert self.broken is not None
        made = BrokenPoolError(*self.broken.args)
        made.__cause__ = self.broken.__cause__
        return made

    def submit(self, task: PoolTask) -> None:
        """Takes a task.

        Raises:
            ShutdownError, BrokenPoolError: none are taken.
            MojoError: its message cannot be written, or the first worker not be started.
        """
        if self.closing or self.broken is not None or not self.fleet.is_open:
            self.check_open()
        if task.plain is None:
            # Others may submit while it is copied. The worker that it was copied for may have got
            # another task then; that costs another copy at most.
            link = None if self.queue else self._idle_link() or self._link_with_room(task)
            if link is not None:
                task.prepare(link.pipe)
        with self.lock:
            if self.closing or self.broken is not None:
                self.check_open()  # which was meanwhile
            if self._thread is None or not self._thread.is_started:
                # The core puts its descriptors above all others. The kernel's table for them grows
                # at once before there is a second thread, and takes many milliseconds after that.
                _core.create_shared_buffer(1).close()
                if self._thread is None:
                    self._thread = AnswerThread(self)
                self.fleet.call_at_exit(self.abort)
                self._thread.start()
            if not self.queue:
                link = self._choose(task)
                if link is not None and self.try_send(link, task):
                    return
            self.queue.append(task)

    def retry(self, task: PoolTask) -> None:
        """Its worker has died; another is to run it."""
        with self.lock:
            task.retries -= 1
            task.link = None
            self._requeue([task])

    def revoke(self, task: PoolTask) -> bool:
        """Takes a task back for good. False: it has begun, or is over."""
        if self.fleet.is_inherited():
            return False
        with self.lock:
            if task.is_revoked:
                return True
            link = task.link
            if link is None:
                task.is_revoked = not task.is_over
            else:
                task.is_revoked = link.board.revoke(task.number)
            return task.is_revoked

    def has_begun(self, task: PoolTask) -> bool:
        """Whether a worker is at it, or has just been."""
        if self.fleet.is_inherited():
            return False
        with self.lock:
            link = task.link
            return link is not None and link.board.has_begun(task.number)

    def request_cancel(self, task: PoolTask) -> None:
        """Asks a task that has begun to end."""
        if self.fleet.is_inherited():
            return
        with self.lock:
            task.cancel_asked = True
            if task.link is not None:
                task.link.board.request_cancel(task.number)

    def kill_after(self, task: PoolTask, seconds: float) -> None:
        """Ends a task by force if it is not over by then."""
        if not self.fleet.is_inherited():
            self.timers.kill_after(task, seconds)

    def kill(self, task: PoolTask, verdict: BaseException) -> None:
        """Ends a task that has begun by killing its worker. Nobody else suffers: what waits behind
        it is taken back first, and if anything there has begun, the task is over."""
        with self.lock:
            link = task.link
            if link is None or link.is_lost or not link.board.has_begun(task.number):
                return
            was_doomed, link.is_doomed = link.is_doomed, True
            self._requeue(link.take_back())
            if link.last_begun() is task:
                task.verdict = verdict
                link.process.kill()
            else:
                link.is_doomed = was_doomed
        self.wake()

    def wake(self) -> None:
        """The thread is to look around."""
        if self._thread is not None:
            self._thread.ring()

    # The end.

    def close(self, cancel: bool) -> None:
        """No more tasks are taken; the fleet is closed after the last.

        Args:
            cancel: cancel those that have not begun.
        """
        if self.fleet.is_inherited():
            return
        with self.lock:
            self.closing = True
            self.fleet.refuse()
            revoked = self.revoke_all() if cancel else []
        for task in revoked:
            task.future.finish_cancelled()
            task.future.let_go()
        self.close_soon()

    def close_soon(self) -> None:
        """Takes no lock, for finalizers."""
        self.closing = True
        if self._thread is None or not self._thread.may_run:
            self.fleet.close()
        else:
            self._thread.ring()

    def revoke_all(self) -> list[PoolTask]:
        """All that has not begun. Called with the lock."""
        found = [*self.queue, *(task for link in self.links for task in link.sent)]
        return [each for each in found if each and not each.is_revoked and self.revoke(each)]

    def abort(self) -> None:
        """Ends all at once: what has not begun is cancelled, and workers that are not idle are
        killed."""
        if self.fleet.is_inherited():
            return
        self.close(cancel=True)
        with self.lock:
            links = list(self.links)
        for link in links:
            if link.last_begun() is not None or not link.is_ready:
                link.process.kill()
        self.join()

    def join(self) -> None:
        """Waits until all tasks are over.

        Raises:
            RuntimeError: called by a callback of a task.
        """
        if self._thread is not None and not self.fleet.is_inherited():
            self._thread.join()

    # With the lock held.

    def is_over(self) -> bool:
        """Whether all tasks are, after `close`."""
        if not self.closing:
            return False
        if not all(task.is_revoked for task in self.queue):
            return False
        sent = (task for link in self.links for task in link.sent)
        return all(task is None or task.is_revoked for task in sent)

    def _choose(self, task: PoolTask) -> TaskLink | None:
        """An idle worker, a new one, or one with room for a task that may wait in a pipe."""
        link = self._idle_link()
        if link is not None:
            return link
        for link in self.links[::-1]:
            self.retire_spent(link)
        if len(self.links) < self.size:
            return self.open_link()
        return self._link_with_room(task)

    def _idle_link(self) -> TaskLink | None:
        """Without the lock it may be so no more."""
        for link in self.links[::-1]:
            if not link.sent and link.room(1) > 0:
                return link
        return None

    def _link_with_room(self, task: PoolTask) -> TaskLink | None:
        """The same."""
        if self.feeder.depth > 1 and task.is_movable and self.links:
            best = min(self.links, key=length)
            if best.room(min(self.feeder.depth, _MOST_AHEAD_ALONE)) > 0 and not best.is_stale:
                return best
        return None

    def open_link(self) -> TaskLink | None:
        """Raises what `PoolWorker.open_service` does."""
        taken = {link.worker for link in self.links}
        now = monotonic()
        free = [each for each in self.fleet.candidates() if each not in taken and not each.is_spent]
        if not free:
            return None
        worker = min(
            free,
            key=lambda each: (max(0.0, each.not_before - now), each.load, each.process is None),
        )
        link = TaskLink(worker, self._most_tasks)
        self.links.append(link)
        assert self._thread is not None
        self._thread.add(link)
        return link

    def try_send(self, link: TaskLink, task: PoolTask) -> bool:
        """False: the worker is gone. Raises if the task cannot be written."""
        if task.timeout is not None:
            self.timers.start(task)  # first, so that Ctrl-C cannot come between
        try:
            link.send(task)
        except _core.MojoError:
            if not link.is_gone():
                raise
            link.is_doomed = True  # the thread will see it
            return False
        return True

    def _requeue(self, tasks: list[PoolTask]) -> None:
        self.queue.extendleft(reversed(tasks))
        if tasks:
            self.has_moved = True

    def skip(self, link: TaskLink) -> PoolTask | None:
        """A worker has skipped a task. Returns it if it was cancelled."""
        task = link.pop()
        if task is not None and not task.is_revoked:  # Ctrl-C has kept its cancellation from more
            task.is_over = False
            self._requeue([task])
            return None
        return task

    def share(self) -> float | None:
        """Takes back what waits behind a task that takes long, or for a worker to start while
        another is idle.

        Returns:
            When to look again, in seconds; None: when something has happened.
        """
        now = monotonic()
        soon = None
        idle = any(not link.sent and link.room(1) > 0 for link in self.links)
        for link in self.links:
            if not link.is_ready:
                if idle and not self.queue:
                    self._requeue(link.take_back())
            elif len(link.sent) > 1 and not link.is_stale:
                soon = _STALE
                if now - link.last_answer > _STALE and not link.has_answers():
                    link.is_stale = True
                    self._requeue(link.take_back())
        return soon

    def lose(self, link: TaskLink) -> list[PoolTask]:
        """A worker's pipe was closed: what had not begun goes to others.

        Returns:
            What had begun: one at most, unless the last answers were lost with it.
        """
        link.is_lost = link.is_doomed = True
        link.worker.is_spent = True
        self.links.remove(link)
        waiting = link.take_back()
        begun = [task for task in link.sent if task is not None and not task.is_revoked]
        if waiting and not begun:
            waiting[0].losses += 1
            if waiting[0].losses > _MOST_LOSSES:
                begun.append(waiting.pop(0))
        self._requeue(waiting)
        self.fleet.expect_end(link.worker)
        return begun

    def retire_spent(self, link: TaskLink) -> None:
        """Ends a worker that has run as many tasks as it may, unless actors live there."""
        spent = link.left is not None and link.left <= 0
        if spent and not link.sent and not link.worker.load and not link.is_doomed:
            link.close()
            link.worker.is_spent = True
            self.links.remove(link)
            self.fleet.retire(link.worker, f"has run its {self._most_tasks} tasks")

    def break_down(self, error: BrokenPoolError) -> list[PoolTask]:
        """No task will run any more. Returns those that had not begun."""
        if self.broken is None:
            self.broken = error
        revoked = self.revoke_all()
        self.queue.clear()
        return revoked
