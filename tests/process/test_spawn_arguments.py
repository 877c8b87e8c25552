"""What can be an argument of a process, and what is left if it cannot (contract §10)."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import log_targets
import pytest
import spawn_targets

from mojo_seq import (
    AbortedError,
    BusyError,
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipeHandle,
    MojoError,
    PermissionDeniedError,
    ResourceExhaustedError,
    Watcher,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    spawn_process,
    wrap_fd,
)
from mojo_seq.process import lifeline

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]


def children() -> set[str]:
    """The processes that this one has."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return set(file.read().split())


@contextmanager
def nothing_is_started() -> Iterator[None]:
    before = children(), set(os.listdir("/proc/self/fd")), threading.enumerate()
    yield
    assert (children(), set(os.listdir("/proc/self/fd")), threading.enumerate()) == before
    assert not lifeline._open


# --- handles ---


def test_handles_move_at_any_depth(read: Read) -> None:
    near, far = create_message_pipe()
    producer, consumer = create_data_pipe()
    buffer = create_shared_buffer(16)
    with near, producer, buffer.map() as mapping, tempfile.TemporaryFile() as file:
        file.write(b"from the file")
        file.flush()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        platform = wrap_fd(os.dup(file.fileno()))
        deeper = spawn_targets.Parcel(consumer=consumer)
        parcel = spawn_targets.Parcel(pipe=far, deeper=[deeper, buffer], file=platform)
        with spawn_process(spawn_targets.open_parcel, parcel) as child:
            for handle in (far, consumer, buffer, platform):
                assert not handle.is_valid
            producer.write(b"abc")
            assert read(near) == b"from the file"
            assert child.wait(TIMEOUT) == 0
        assert bytes(memoryview(mapping)[:4]) == b"abc\0"


def test_a_pipe_takes_its_unread_messages_with_it(read: Read) -> None:
    near, far = create_message_pipe()
    inner, inner_far = create_message_pipe()
    with near, inner:
        near.write(b"unread")
        near.write(b"with a handle", [inner_far])
        with spawn_process(spawn_targets.read_all, far) as child:
            assert read(child.pipe) == b"unread"
            with spawn_targets.next_message(child.pipe) as message:
                (came_back,) = message.take_handles()
                assert isinstance(came_back, MessagePipeHandle)
            with came_back:
                inner.write(b"through it")
                assert read(came_back) == b"through it"
            near.write(b"later")
            assert read(child.pipe) == b"later"
            near.close()
            assert read(child.pipe) == b"closed"


def test_unread_objects_are_serialized_on_the_way(read: Read) -> None:
    near, far = create_message_pipe()
    with near:
        near.write_message(Message.from_object(3, lambda obj: repr(obj).encode()))
        with spawn_process(spawn_targets.read_all, far) as child:
            assert read(child.pipe) == b"3"
            near.close()
            assert read(child.pipe) == b"closed"


def test_through_many_processes(read: Read) -> None:
    near, far = create_message_pipe()
    with near, spawn_process(spawn_targets.spawn_and_relay, 3, far):
        pid = int(read(near).removeprefix(b"from "))
        assert pid not in (os.getpid(), 0)


def test_the_same_object_twice_is_one_object_there(read: Read) -> None:
    shared = ["shared"]
    with spawn_process(spawn_targets.answer_identity, shared, {"inner": shared}) as child:
        assert read(child.pipe) == b"True"


def test_a_large_argument(read: Read) -> None:
    data = os.urandom(20_000_000)
    with spawn_process(spawn_targets.answer_digest, data) as child:
        assert read(child.pipe) == hashlib.sha256(data).digest()


# --- handles that cannot be sent ---


def test_a_handle_listed_twice() -> None:
    near, far = create_message_pipe()
    with near, far, nothing_is_started():
        for args in ((far, far), (far, {"in": [far]}), ([far, far],)):
            with pytest.raises(BusyError, match=rf"{far.value} open> is listed twice"):
                spawn_process(spawn_targets.nothing, *args)
        near.write(b"still here")
        assert bytes(far.read()) == b"still here"


def test_a_handle_that_is_dead() -> None:
    near, far = create_message_pipe()
    far.close()
    with near, nothing_is_started():
        with pytest.raises(InvalidArgumentError, match="cannot be used any more"):
            spawn_process(spawn_targets.nothing, near, far)
        assert near.is_valid


def test_a_watcher() -> None:
    with Watcher(lambda *notification: None) as watcher, nothing_is_started():
        with pytest.raises(InvalidArgumentError, match="watcher"):
            spawn_process(spawn_targets.nothing, watcher)
        assert watcher.is_valid


@contextmanager
def two_phase() -> Iterator[Handle]:
    producer, consumer = create_data_pipe()
    with producer, consumer, producer.begin_write():
        yield producer


@contextmanager
def unread_object() -> Iterator[Handle]:
    near, far = create_message_pipe()
    with near, far:
        near.write_message(Message.from_object(object()))
        yield far


@pytest.mark.parametrize(
    ("make", "error"), [(two_phase, BusyError), (unread_object, FailedPreconditionError)]
)
def test_a_handle_that_turns_out_not_to_be_sendable(
    make: Callable[[], AbstractContextManager[Handle]], error: type[MojoError]
) -> None:
    """Only when the process is there is it known; it is gone again when the call fails."""
    near, far = create_message_pipe()
    with near, far, make() as handle, nothing_is_started():
        with pytest.raises(error):
            spawn_process(spawn_targets.nothing, far, handle)
        near.write(b"still here")
        assert bytes(far.read()) == b"still here"
        assert handle.is_valid


# --- objects that cannot be sent ---


def notes(error: BaseException) -> str:
    return " ".join(getattr(error, "__notes__", ()))


@pytest.mark.parametrize(
    ("target", "args", "place"),
    [
        (lambda pipe: None, (), "the target"),
        (threading.Lock().acquire, (), "the target"),
        (spawn_targets.nothing, (lambda: None,), "argument 1"),
        (spawn_targets.nothing, (1, threading.Lock()), "argument 2"),
        (spawn_targets.nothing, (1, [{"deep": threading.Lock()}]), "argument 2"),
        (spawn_targets.nothing, (log_targets.Unpicklable(),), "argument 1"),
    ],
)
def test_what_cannot_be_pickled(
    target: Callable[..., object], args: tuple[Any, ...], place: str
) -> None:
    near, far = create_message_pipe()
    with near, far, nothing_is_started():
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as caught:
            spawn_process(target, *args, far)
        assert place in notes(caught.value)
        assert far.is_valid


def test_a_function_of_a_module_that_cannot_be_found() -> None:
    """A test's module, for one: pytest gives it a name that nobody can import."""

    def made_elsewhere(pipe: MessagePipeHandle) -> None:
        raise AssertionError

    made_elsewhere.__module__ = "nowhere_to_be_found.inner"
    with nothing_is_started(), pytest.raises(pickle.PicklingError, match="nowhere_to_be_found"):
        spawn_process(made_elsewhere)


def test_what_fails_to_be_unpickled_is_told_by_the_log(
    run_child: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    assert run_child(spawn_targets.nothing, spawn_targets.FailsToArrive()) == 1
    (record,) = caplog.records
    assert record.exc_text is not None and "not at the destination" in record.exc_text


# --- processes that cannot be started ---


def test_no_descriptors_left() -> None:
    near, far = create_message_pipe()
    with near, far, nothing_is_started():
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        for spare in range(6):
            highest = max(map(int, os.listdir("/proc/self/fd")))
            taken = []
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + spare, limits[1]))
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                for fd in taken[len(taken) - spare :]:
                    os.close(fd)
            try:
                with pytest.raises(ResourceExhaustedError):
                    spawn_process(spawn_targets.nothing, far)
            finally:
                for fd in taken[: len(taken) - spare]:
                    os.close(fd)
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert far.is_valid


@pytest.mark.parametrize(
    ("executable", "error"),
    [
        ("/nowhere/python", MojoError),
        ("/etc/passwd", PermissionDeniedError),
        ("", FailedPreconditionError),
    ],
)
def test_an_interpreter_that_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch, executable: str, error: type[MojoError]
) -> None:
    near, far = create_message_pipe()
    monkeypatch.setattr(sys, "executable", executable)
    with near, far, nothing_is_started():
        with pytest.raises(error):
            spawn_process(spawn_targets.nothing, far)
        near.write(b"still here")
        assert bytes(far.read()) == b"still here"


def test_an_interpreter_that_ends_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = create_message_pipe()
    popen = subprocess.Popen

    def ends_at_once(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        started = popen(["/bin/false"], **kwargs)
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        return started

    monkeypatch.setattr(subprocess, "Popen", ends_at_once)
    with near, far, nothing_is_started():
        with pytest.raises(AbortedError, match="before it had begun"):
            spawn_process(spawn_targets.nothing, far)
        near.write(b"still here")
        assert bytes(far.read()) == b"still here"


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = create_message_pipe()

    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with near, far, nothing_is_started():
        with pytest.raises(ResourceExhaustedError, match="thread"):
            spawn_process(spawn_targets.nothing, far)
        near.write(b"still here")
        assert bytes(far.read()) == b"still here"


def test_os_errors_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", no_process)
    with nothing_is_started(), pytest.raises(ResourceExhaustedError, match="cannot be started"):
        spawn_process(spawn_targets.nothing)
