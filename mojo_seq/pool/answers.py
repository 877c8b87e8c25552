"""Answers of workers: what is in their messages, and what becomes of the tasks' futures."""

from __future__ import annotations

import logging
import time
from concurrent.futures import CancelledError

from mojo_seq._core import decode_plain_answer
from mojo_seq.pool.task_wire import ANSWER, FAILURE, ITEM, READY, RESULT, SKIPPED
from mojo_seq.process.object_codec import decode_payload, take_apart
from mojo_seq.sequence.cancel_errors import is_cancelled_error

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq import _core
    from mojo_seq.pool.pool_task import PoolTask

    _Answer = tuple[int, int, Any]  # of what kind, the task's microseconds, and the outcome
    _Failed = tuple[PoolTask, BaseException | None]  # None: it was revoked

logger = logging.getLogger("mojo_seq.pool")


def read_answers(messages: list[bytes | _core.Message]) -> list[_Answer]:
    """Decodes them; what cannot be decoded is a failure of its task."""
    answers: list[_Answer] = []
    for message in messages:
        if isinstance(message, bytes):
            try:
                answers.append(decode_plain_answer(message))
            except BaseException as error:
                micros, kind = ANSWER.unpack_from(message, len(message) - ANSWER.size)
                _add_undecodable(answers, kind, micros, error)
            continue
        payload, handles = take_apart(message)
        micros, kind = ANSWER.unpack_from(payload, len(payload) - ANSWER.size)
        try:
            is_empty = kind in (READY, SKIPPED)
            outcome = None if is_empty else decode_payload(payload, handles)
            answers.append((kind, micros, outcome))
        except BaseException as error:
            _add_undecodable(answers, kind, micros, error)
    return answers


def _add_undecodable(answers: list[_Answer], kind: int, micros: int, error: BaseException) -> None:
    error.add_note("What the worker process has sent could not be decoded here.")
    if kind == ITEM:
        logger.error("an item of a task was dropped", exc_info=error)
    else:
        answers.append((FAILURE, micros, error))


def deliver(task: PoolTask, kind: int, outcome: Any) -> None:
    """Tells a task's future. Without any lock, as it may call callbacks."""
    future = task.future
    if kind == RESULT:
        future.let_go()
        future.succeed(outcome)
    elif kind == ITEM:
        if task.on_item is not None and not future.done():
            try:
                task.on_item(outcome)
            except Exception:
                logger.exception("on_item of %s failed", task.describe())
    else:
        future.let_go()
        if kind == SKIPPED or _is_cancel(task, outcome):
            future.finish_cancelled()  # if whoever revoked it did not come to it
        else:
            future.fail(outcome)


def deliver_failed(failed: list[_Failed]) -> None:
    """Tells the futures of tasks that no worker will answer."""
    for task, error in failed:
        task.is_over = True
        deliver(task, SKIPPED if task.is_revoked else FAILURE, error)


def _is_cancel(task: PoolTask, error: BaseException) -> bool:
    """Whether the task ended because it was asked to."""
    if error is task.verdict:
        return isinstance(error, CancelledError)
    if not is_cancelled_error(error):
        return False
    return task.cancel_asked or (task.deadline is not None and time.monotonic() >= task.deadline)
