"""AnswerThread: a pool's thread that waits for the answers of all workers."""

from __future__ import annotations

import logging
import time
from collections import deque
from functools import partial

from mojo_seq import _core
from mojo_seq.pool.answers import deliver, deliver_failed, read_answers
from mojo_seq.pool.broken_pool_error import BrokenPoolError
from mojo_seq.pool.task_wire import FAILURE, ITEM, READY, SKIPPED
from mojo_seq.pool.worker_died_error import WorkerDiedError
from mojo_seq.sequence.only_thread import OnlyThread

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.pool.answers import _Answer, _Failed
    from mojo_seq.pool.dispatcher import Dispatcher
    from mojo_seq.pool.pool_task import PoolTask
    from mojo_seq.pool.task_link import TaskLink

logger = logging.getLogger("mojo_seq.pool")

_READABLE = _core.Signals.READABLE
_MOST_READY = 64
_MOST_ANSWERS = 256  # at a time
_MOST_FALSE_STARTS = 5
_PAUSE = 0.01


class AnswerThread:
    """Runs from the first task to the end of the pool. It reads the pipes, completes futures and
    gives workers that are done their next tasks, with no other thread in between.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._bell = _core.WaitableEvent(manual_reset=False)
        self._set = _core.WaitSet()
        self._set.add_event(self._bell)
        self._links: dict[int, TaskLink] = {}  # by the id of their pipe
        self._news: deque[TaskLink] = deque()  # their processes have ended
        self._dying: dict[TaskLink, list[PoolTask]] = {}  # what they ran; the thread's
        self._false_starts = 0  # in a row
        self._thread = OnlyThread(self._run, "mojo_seq-answers")

    # Any thread.

    @property
    def is_started(self) -> bool:
        """For certain; it may be although this is False."""
        return self._thread.is_started

    @property
    def may_run(self) -> bool:
        """Whether somebody has begun to start it."""
        return self._thread.may_run

    def start(self) -> None:
        """With the dispatcher's lock held; harmless if it was started.

        Raises:
            ResourceExhaustedError: no thread to be had.
        """
        self._thread.start()

    def add(self, link: TaskLink) -> None:
        """One more worker to listen to. With the dispatcher's lock held."""
        self._links[id(link.pipe)] = link
        self._set.add_handle(link.pipe, _READABLE)

    def ring(self) -> None:
        """The thread is to look around. Takes no lock."""
        self._bell.signal()

    def join(self) -> None:
        """Waits for its end.

        Raises:
            RuntimeError: this is the thread.
        """
        if self._thread.is_current:
            raise RuntimeError("a pool cannot be shut down by a callback of its own tasks")
        self._thread.join()

    # The thread.

    def _run(self) -> None:
        dispatcher = self._dispatcher
        look_around = True
        try:
            while True:
                pause = self._look_around(look_around)
                if pause is None:
                    break
                event, ready = self._set.wait(_MOST_READY, None if pause < 0 else pause)
                look_around = event is not None or not ready
                for handle, _, _ in ready:
                    link = self._links.get(id(handle))
                    if link is not None and not link.is_lost:
                        look_around |= self._read(link)
        finally:
            self._end()
            dispatcher.fleet.close()

    def _look_around(self, spread: bool) -> float | None:
        """Everything but answers. For how long to wait then; negative: for ever. None: the end."""
        while self._news:
            self._bury(self._news.popleft())
            spread = True
        dispatcher = self._dispatcher
        if spread:
            dispatcher.timers.run()
        failed: list[_Failed] = []
        while True:
            large = None
            with dispatcher.lock:
                pause = dispatcher.share()
                if spread or dispatcher.has_moved:
                    large = dispatcher.feeder.spread(failed)
                due = dispatcher.timers.pause()
                is_over = dispatcher.is_over() and not self._dying and not self._news
            if large is None:
                break
            large[0].prepare(large[1].pipe)
            spread = True
        deliver_failed(failed)
        if is_over and not failed:
            return None
        pauses = [each for each in (pause, due) if each is not None]
        return min(pauses) if pauses else -1.0

    def _read(self, link: TaskLink) -> bool:
        """Takes in what a worker has sent. True: there is more to be done than that."""
        try:
            messages = _core.read_plain_batch(link.pipe, _MOST_ANSWERS)
        except _core.ResourceExhaustedError:  # no room for descriptors now
            time.sleep(_PAUSE)
            return True
        except _core.MojoError:  # closed at the other end
            self._lose(link)
            return True
        answers = read_answers(messages)
        dispatcher = self._dispatcher
        done: list[tuple[PoolTask, int, Any]] = []
        failed: list[_Failed] = []
        with dispatcher.lock:
            self._note(link, answers, done)
            link.last_answer = time.monotonic()
            link.is_stale = False
            large = dispatcher.feeder.fill(link, failed)
            dispatcher.retire_spent(link)
        while large is not None:
            large.prepare(link.pipe)
            with dispatcher.lock:
                large = dispatcher.feeder.fill(link, failed)
        for task, kind, outcome in done:
            deliver(task, kind, outcome)
        deliver_failed(failed)
        return dispatcher.closing or link.is_doomed

    def _note(
        self, link: TaskLink, answers: list[_Answer], done: list[tuple[PoolTask, int, Any]]
    ) -> None:
        """Finds out whose answers they are. With the lock held."""
        ended = total = 0
        for kind, micros, outcome in answers:
            if kind == READY:
                link.is_ready = True
                self._false_starts = 0
                continue
            if not link.sent:
                logger.error("%r has answered what it was not asked: it is killed", link.process)
                link.is_doomed = True
                link.process.kill()
                break
            if kind == ITEM:
                task = link.sent[0]
            elif kind == SKIPPED:
                task = self._dispatcher.skip(link)
            else:
                ended += 1
                total += micros
                task = link.pop()
            if task is not None:
                done.append((task, kind, outcome))
        if ended:
            self._dispatcher.feeder.note_time(total / ended)

    def _lose(self, link: TaskLink) -> None:
        with self._dispatcher.lock:
            self._links.pop(id(link.pipe), None)
            if link.is_lost or link not in self._dispatcher.links:
                return  # closed here: it has run enough tasks
            self._set.remove_handle(link.pipe)
            begun = self._dispatcher.lose(link)
        self._dying[link] = begun
        link.pipe.close()
        link.process.call_when_gone(partial(self._note_gone, link))

    def _note_gone(self, link: TaskLink) -> None:
        self._news.append(link)
        self._bell.signal()

    def _bury(self, link: TaskLink) -> None:
        """A worker's end is known: so is what becomes of the task that it ran."""
        process = link.process
        error = process.initializer_error()
        if error is not None:
            self._break_down(f"{process!r} {process.exit_reason()}", error)
        elif not link.is_ready and (process.exitcode is None or process.exitcode >= 0):
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                self._break_down(
                    f"workers end before they run anything, the last: {process.exit_reason()}",
                    None,
                )
        for task in self._dying.pop(link):
            if task.verdict is None and task.retries > 0 and task.is_movable:
                self._dispatcher.retry(task)
                continue
            verdict = task.verdict or WorkerDiedError(
                process.pid, process.exitcode, task.describe(), process.last_stderr()
            )
            with self._dispatcher.lock:
                task.link = None
                task.is_over = True
            deliver(task, FAILURE, verdict)

    def _break_down(self, text: str, cause: BaseException | None) -> None:
        error = BrokenPoolError(text)
        error.__cause__ = cause
        with self._dispatcher.lock:
            revoked = self._dispatcher.break_down(error)
        for task in revoked:
            deliver(task, FAILURE, self._dispatcher.broken_error())

    def _end(self) -> None:
        with self._dispatcher.lock:
            links = list(self._dispatcher.links)
            self._dispatcher.links.clear()
            for link in links:
                self._set.remove_handle(link.pipe)
                link.close()
            self._links.clear()
            left = [task for link in links for task in link.sent if task is not None]
            left += self._dispatcher.queue
            self._dispatcher.queue.clear()
        self._set.remove_event(self._bell)
        deliver_failed([(task, None) for task in left if task.is_revoked])
