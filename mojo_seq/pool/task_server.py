"""What a worker does with its task pipe: it runs what comes, one after the other."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from time import perf_counter

from mojo_seq import _core
from mojo_seq.pool.board import Board
from mojo_seq.pool.function_name import FunctionFinder
from mojo_seq.pool.task_wire import (
    ANSWER,
    FAILURE,
    LONGEST,
    NEVER,
    READY,
    RESULT,
    SKIPPED,
    TASK,
    TIMED,
)
from mojo_seq.pool.worker_task import WorkerTask
from mojo_seq.process.object_codec import decode_payload, encode, take_apart
from mojo_seq.process.remote_traceback import Failure
from mojo_seq.sequence.running_task import set as set_task

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import NoReturn

    from mojo_seq.process.object_codec import Encoded

_READABLE = _core.Signals.READABLE


def serve_tasks(pipe: _core.MessagePipeHandle, memory: _core.SharedBufferHandle) -> None:
    """Runs tasks, on this thread, until the pool closes the pipe.

    Args:
        pipe: brings a message for each task, and takes one answer for each, in their order.
        memory: of the board.
    """
    with memory:
        server = TaskServer(pipe, Board(memory))
    try:
        pipe.write(ANSWER.pack(0, READY))
        while True:
            _core.wait(pipe, _READABLE)
            server.run(_core.read_plain_batch(pipe))
    except (_core.PeerClosedError, _core.InvalidArgumentError):
        return  # closed there, or here, as the worker is to end


class TaskServer:
    """Args: as `serve_tasks` has them."""

    def __init__(self, pipe: _core.MessagePipeHandle, board: Board) -> None:
        self._pipe = pipe
        self._board = board
        self._number = 0
        self._functions = FunctionFinder()
        self._generation = _core.fork_generation()

    def run(self, messages: list[bytes | _core.Message]) -> None:
        """Runs some tasks. Raises what `MessagePipeHandle.write` does."""
        messages.reverse()
        while messages:  # none is kept longer than it is needed
            self._run_one(messages.pop())
            self._number += 1

    def _run_one(self, message: bytes | _core.Message) -> None:
        payload, handles = (message, []) if isinstance(message, bytes) else take_apart(message)
        end = len(payload) - TASK.size
        deadline, flags, length = TASK.unpack_from(payload, end)
        name = bytes(payload[end - length : end])
        begin = self._board.begin_timed if flags & TIMED else self._board.begin
        if not begin(self._number):
            for each in handles:
                each.close()
            self._pipe.write(ANSWER.pack(0, SKIPPED))
            return
        task = WorkerTask(
            self._pipe, self._board, self._number, None if deadline == NEVER else deadline
        )
        before = perf_counter()
        kind = RESULT
        set_task(task)
        try:
            outcome = self._call(name, payload, handles)
        except BaseException as error:
            kind, outcome = FAILURE, _strip(error)
        finally:
            set_task(None)
            task.end()
        if _core.fork_generation() != self._generation:
            _leave(outcome if kind == FAILURE else None)
        del payload, message
        micros = int((perf_counter() - before) * 1e6)
        self._answer(kind, outcome, micros)

    def _call(
        self, name: bytes, payload: bytes | memoryview, handles: list[_core.Handle]
    ) -> object:
        if name:
            fn = self._functions.find(name)
            args, kwargs = decode_payload(payload, handles)
        else:
            fn, args, kwargs = decode_payload(payload, handles)
        return fn(*args, **kwargs)

    def _answer(self, kind: int, outcome: object, micros: int) -> None:
        micros = min(micros, LONGEST)
        if kind == RESULT:
            message = _core.plain_answer(outcome, micros, kind)
            if message is not None:
                self._pipe.write(message)
                return
        try:
            encoded = encode(
                outcome if kind == RESULT else Failure(outcome),  # type: ignore[arg-type]
                ANSWER.pack(micros, kind),
                lambda: {"the result": outcome},
                read_only=True,
            )
        except BaseException as error:
            encoded = _refusal(error, micros)
        try:
            encoded.write_to(self._pipe)
        except (_core.PeerClosedError, _core.InvalidArgumentError):
            raise
        except _core.MojoError as error:  # there is no room for it
            encoded.discard()
            _refusal(error, micros).write_to(self._pipe)


def _strip(error: BaseException) -> BaseException:
    """Without the frames of this file."""
    traceback = error.__traceback__
    for _ in range(2):
        if traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
    return error.with_traceback(traceback)


def _leave(error: object) -> NoReturn:
    """Ends a child that the task has forked, and that has come back from it: nobody waits for its
    answer. As multiprocessing does it, for the threads and handles here are the parent's."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif isinstance(error, BaseException):
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _refusal(error: BaseException, micros: int) -> Encoded:
    """In the place of what cannot be pickled."""
    return encode(Failure(error.with_traceback(None)), ANSWER.pack(micros, FAILURE))
