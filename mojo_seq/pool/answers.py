"""Answers of workers: what is in their messages, and what becomes of the tasks' futures."""

from __future__ import annotations

import logging
import time
from concurrent.futures import CancelledError

from mojo_seq import _core
from mojo_seq.pool.task_wire import ANSWER, FAILURE, ITEM, READY, RESULT, SKIPPED
from mojo_seq.process.object_codec import decode_payload, take_payload
from mojo_seq.sequence.cancel_errors import is_cancelled_error

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.pool.pool_task import PoolTask

    _Failed = tuple[PoolTask, BaseException | None]  # None: it was revoked

logger = logging.getLogger("mojo_seq.pool")


class Answer:
    """One message of a worker."""

    __slots__ = ("kind", "micros", "outcome")

    def __init__(self, kind: int, micros: int, outcome: Any) -> None:
        self.kind = kind
        self.micros = micros
        self.outcome = outcome


def read_answers(messages: list[_core.Message]) -> list[Answer]:
    """Decodes them; what cannot be decoded is a failure of its task."""
    answers = []
    for message in messages:
        handles = message.take_handles()
        payload = take_payload(message)
        micros, kind = ANSWER.unpack_from(payload, len(payload) - ANSWER.size)
        outcome = None
        if kind not in (READY, SKIPPED):
            try:
                outcome = decode_payload(payload, handles)
            except BaseException as error:
                error.add_note("What the worker process has sent could not be decoded here.")
                if kind == ITEM:
                    logger.exception("an item of a task was dropped")
                    continue
                kind, outcome = FAILURE, error
        answers.append(Answer(kind, micros, outcome))
    return answers


def deliver(task: PoolTask, answer: Answer) -> None:
    """Tells a task's future. Without any lock, as it may call callbacks."""
    if answer.kind == ITEM:
        if task.on_item is not None and not task.future.done():
            try:
                task.on_item(answer.outcome)
            except Exception:
                logger.exception("on_item of %s failed", task.describe())
        return
    future = task.future
    future.let_go()
    if answer.kind == RESULT:
        future.succeed(answer.outcome)
    elif answer.kind == SKIPPED:
        future.finish_cancelled()  # if whoever revoked it did not come to it
    elif _is_cancel(task, answer.outcome):
        future.finish_cancelled()
    else:
        future.fail(answer.outcome)


def deliver_failed(failed: list[_Failed]) -> None:
    """Tells the futures of tasks that no worker will answer."""
    for task, error in failed:
        task.is_over = True
        deliver(task, Answer(SKIPPED if task.is_revoked else FAILURE, 0, error))


def _is_cancel(task: PoolTask, error: BaseException) -> bool:
    """Whether the task ended because it was asked to."""
    if error is task.verdict:
        return isinstance(error, CancelledError)
    if not is_cancelled_error(error):
        return False
    return task.cancel_asked or (task.deadline is not None and time.monotonic() >= task.deadline)
