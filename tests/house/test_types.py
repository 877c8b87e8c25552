"""The type checker, its check of the stub, and the linter have nothing to say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import pytest
from numpy.typing import NDArray

from mojo_seq import (
    Handle,
    Message,
    MessagePipeHandle,
    Result,
    RunLoop,
    SequencedTaskRunner,
    SignalsState,
    SimpleWatcher,
    bind_post_task,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    wait,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "tool",
    [
        "mypy",  # strict, on mojo_seq, examples and tests: see pyproject.toml
        "mypy.stubtest --mypy-config-file pyproject.toml mojo_seq",
        "ruff check .",
        "ruff format --check mojo_seq examples tests setup.py",
    ],
)
def test_tool_is_content(tool: str) -> None:
    command = [sys.executable, "-m", *tool.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# What follows is for mypy: `assert_type` does nothing when it is run, and an ignored error that
# mypy does not find is an error. It is run all the same, so that no name in it can be wrong.


def half(number: int, *, exact: bool) -> float:
    return number / 2 if exact else number // 2


def test_types_of_tasks() -> None:
    loop = RunLoop()
    assert_type(loop.task_runner, SequencedTaskRunner)
    future = loop.task_runner.submit(half, 3, exact=True)
    assert_type(future, Future[float])
    post_half = bind_post_task(loop.task_runner, half)
    assert_type(post_half(4, exact=False), None)
    loop.run_until_idle()
    assert future.result() == 1.5
    if TYPE_CHECKING:
        loop.task_runner.submit(half, "3", exact=True)  # type: ignore[arg-type]
        loop.task_runner.submit(half, 3)  # type: ignore[call-arg]
        loop.task_runner.post_task_and_reply(lambda: 3, str.upper)  # type: ignore[misc]
        post_half("4", exact=True)  # type: ignore[arg-type]


def test_types_of_arrays() -> None:
    numbers = np.arange(8, dtype=np.float64)
    producer, consumer = create_data_pipe()
    with producer, consumer:
        producer.write(numbers)
        assert_type(consumer.readinto(numbers), int)
        with producer.begin_write() as window:
            assert_type(window.as_array(np.int32), np.ndarray[tuple[int], np.dtype[np.int32]])
            assert_type(window.as_array("<i4"), np.ndarray[tuple[int], np.dtype[Any]])
            assert memoryview(window).nbytes == window.nbytes
    with create_shared_buffer(64) as buffer:
        assert_type(buffer.as_array(np.float64, (2, 4)), NDArray[np.float64])
        assert_type(buffer.as_array(np.dtype(np.uint8)), NDArray[np.uint8])
        assert_type(buffer.as_array(float), NDArray[Any])
        with buffer.map() as mapping:
            assert memoryview(mapping).nbytes == 64
        if TYPE_CHECKING:
            buffer.as_array(np.uint8, order="K")  # type: ignore[call-overload]


def to_bytes(number: int) -> bytes:
    return repr(number).encode()


def test_types_of_messages() -> None:
    near, far = create_message_pipe()
    assert_type(near, MessagePipeHandle)
    with near, far:
        near.write(np.arange(3))
        with far.read() as message:
            assert_type(message.take_handles(), list[Handle])
        near.write_message(Message.from_object(7, serializer=to_bytes))
        with far.read() as message:
            assert_type(message.context, Any)
        assert_type(wait(far, 1, timeout=0), tuple[Result, SignalsState])
    if TYPE_CHECKING:
        assert_type(near.__anext__(), Awaitable[Message])
        Message.from_object("7", serializer=to_bytes)  # type: ignore[arg-type]


def test_types_of_what_only_the_library_makes() -> None:
    for cls in (Handle, MessagePipeHandle):
        with pytest.raises(TypeError):
            cls()  # type: ignore[call-arg]
    loop = RunLoop()
    with SimpleWatcher(task_runner=loop.task_runner) as watcher:
        assert_type(watcher.handle, Handle | None)
    if TYPE_CHECKING:
        SimpleWatcher(task_runner=loop)  # type: ignore[arg-type]
