"""Who has sent a bad message is told to who invited it (contract §3, §10)."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
from invited import invited

from mojo_seq import (
    BadMessageReport,
    Invitation,
    MessagePipeHandle,
    PlatformChannel,
    Signals,
    create_message_pipe,
    wait,
)
from mojo_seq.process import bad_message_callbacks

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]
WaitClosed = Callable[[MessagePipeHandle], None]

BAD = """
incoming = accept()
with incoming.extract_message_pipe("a") as pipe:
    incoming.close()  # long before the last bad message
    pipe.write(b"bad")
    with next_message(pipe) as message:
        for handle in message.take_handles():
            handle.write(b"bad, too")
            handle.close()
    next_message(pipe).close()
"""


def complain(pipe: MessagePipeHandle, reason: str) -> None:
    assert wait(pipe, Signals.READABLE, TIMEOUT)[1].readable
    with pipe.read() as message:
        message.notify_bad(reason)


def test_who_sent_a_bad_message_is_told(channel: PlatformChannel) -> None:
    reports = list[BadMessageReport]()
    with (
        Invitation() as invitation,
        invited(BAD, channel) as child,
        invitation.attach_message_pipe("a") as near,
    ):
        invitation.send(channel.local_endpoint, on_error=reports.append)
        complain(near, "no good")
        # Also over a pipe that this process has made and passed out.
        a, b = create_message_pipe()
        with a:
            near.write(b"", [b])
            complain(a, "nor this")
        near.write(b"end")
    assert reports == [
        BadMessageReport(reason="no good", pid=child.pid),
        BadMessageReport("nor this", child.pid),
    ]


def test_each_is_blamed_for_its_own(channel: PlatformChannel) -> None:
    reports: dict[str, list[BadMessageReport]] = {"first": [], "second": []}
    with (
        PlatformChannel() as other,
        Invitation() as first,
        Invitation() as second,
        invited(BAD, channel) as one,
        invited(BAD, other) as two,
        first.attach_message_pipe("a") as a,
        second.attach_message_pipe("a") as b,
    ):
        first.send(channel.local_endpoint, on_error=reports["first"].append)
        second.send(other.local_endpoint, on_error=reports["second"].append)
        complain(b, "b")
        complain(a, "a")
        for near in (a, b):
            near.write_batch([b"", b""])
    assert reports == {
        "first": [BadMessageReport("a", one.pid)],
        "second": [BadMessageReport("b", two.pid)],
    }


def test_a_message_that_is_read_when_its_sender_is_gone(
    channel: PlatformChannel, wait_closed: WaitClosed
) -> None:
    code = """
with accept() as incoming, incoming.extract_message_pipe("a") as pipe:
    pipe.write(b"bad")
"""
    reports = list[BadMessageReport]()
    with Invitation() as invitation, invitation.attach_message_pipe("a") as near:
        with invited(code, channel) as child:
            invitation.send(channel.local_endpoint, on_error=reports.append)
            wait_closed(near)
        complain(near, "late")
    assert reports == [BadMessageReport("late", child.pid)]


def test_without_a_callback_it_is_logged(
    channel: PlatformChannel, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Invitation() as invitation,
        invited(BAD, channel) as child,
        invitation.attach_message_pipe("a") as near,
    ):
        invitation.send(channel.local_endpoint)
        complain(near, "no good")
        near.write_batch([b"", b""])
    (record,) = caplog.records
    assert record.name == "mojo_seq"
    assert "no good" in record.getMessage()
    assert str(child.pid) in record.getMessage()


def test_a_callback_that_raises_is_reported(
    channel: PlatformChannel, caplog: pytest.LogCaptureFixture
) -> None:
    def on_error(report: BadMessageReport) -> None:
        raise ZeroDivisionError

    with (
        Invitation() as invitation,
        invited(BAD, channel),
        invitation.attach_message_pipe("a") as near,
    ):
        invitation.send(channel.local_endpoint, on_error=on_error)
        complain(near, "no good")
        near.write_batch([b"", b""])
    (record,) = caplog.records
    assert record.exc_info is not None and record.exc_info[0] is ZeroDivisionError


def test_who_was_told_is_not_kept_for_ever() -> None:
    callbacks = bad_message_callbacks._Callbacks()

    class Callback:
        def __call__(self, report: BadMessageReport) -> None:
            raise AssertionError

    for pid in range(1, 1001):
        on_error = Callback()
        callbacks.add(pid, on_error)
        callbacks.depart(pid, on_error)
    assert len(callbacks._living) == 0
    assert len(callbacks._departed) == bad_message_callbacks._MOST_DEPARTED
    assert callbacks.find(1) is None
    assert isinstance(callbacks.find(1000), Callback)
    del on_error
    callbacks._forget_all()
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Callback)]


def test_a_number_that_is_used_again_belongs_to_the_newer() -> None:
    callbacks = bad_message_callbacks._Callbacks()
    first, second = list[BadMessageReport](), list[BadMessageReport]()
    one, two = first.append, second.append
    callbacks.add(1, one)
    callbacks.add(1, two)
    callbacks.depart(1, one)
    assert callbacks.find(1) is two
    callbacks.depart(1, two)
    assert callbacks.find(1) is two
    callbacks.add(1, one)
    assert callbacks.find(1) is one
