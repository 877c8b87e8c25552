"""Invitation: the first pipes between two processes (contract §10, system rules §12)."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from mojo_seq import (
    AbortedError,
    AlreadyExistsError,
    ChannelEndpoint,
    DeadlineExceededError,
    FailedPreconditionError,
    Handle,
    IncomingInvitation,
    InvalidArgumentError,
    Invitation,
    MessagePipeHandle,
    MojoError,
    NotFoundError,
    PeerClosedError,
    PlatformChannel,
    Signals,
    UnimplementedError,
    _core,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    wait,
)
from mojo_seq.process.invitation_message import encode_invitation

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]
WaitClosed = Callable[[MessagePipeHandle], None]


def accept_here(channel: PlatformChannel) -> IncomingInvitation:
    return Invitation.accept(channel.remote_endpoint, TIMEOUT)


# --- building one ---


def test_each_name_gets_a_pipe_of_its_own(channel: PlatformChannel, read: Read) -> None:
    with Invitation() as invitation, ExitStack() as stack:
        names: list[str | bytes] = ["plain", b"\0\xff bytes", "ünï", "", b"plain2"]
        local = [stack.enter_context(invitation.attach_message_pipe(name)) for name in names]
        invitation.send(channel.local_endpoint)
        with accept_here(channel) as incoming:
            for number, (name, near) in enumerate(zip(names, local, strict=True)):
                far = stack.enter_context(incoming.extract_message_pipe(name))
                near.write(bytes([number]))
                assert read(far) == bytes([number])
                far.write(b"back")
                assert read(near) == b"back"


def test_a_str_stands_for_its_utf8_bytes(channel: PlatformChannel) -> None:
    with Invitation() as invitation, invitation.attach_message_pipe("ü"):
        with pytest.raises(AlreadyExistsError):
            invitation.attach_message_pipe("ü".encode())
        invitation.send(channel.local_endpoint)
        with accept_here(channel) as incoming:
            incoming.extract_message_pipe("ü".encode()).close()


def test_a_name_is_text_or_bytes() -> None:
    with Invitation() as invitation:
        for name in (None, 3, bytearray(b"x")):
            with pytest.raises(TypeError):
                invitation.attach_message_pipe(name)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        IncomingInvitation({}).extract_message_pipe(3)  # type: ignore[arg-type]


def test_closing_one_that_was_not_sent_closes_the_other_ends() -> None:
    with Invitation() as invitation:
        near = invitation.attach_message_pipe("a")
    invitation.close()
    with near:
        assert near.query_signals_state().peer_closed
    with pytest.raises(InvalidArgumentError):
        invitation.attach_message_pipe("b")


# --- sending ---


def test_nothing_attached(channel: PlatformChannel) -> None:
    with Invitation() as invitation:
        with pytest.raises(FailedPreconditionError, match="no message pipe"):
            invitation.send(channel.local_endpoint)
        channel.local_endpoint.fileno()
        with invitation.attach_message_pipe("a"):
            invitation.send(channel.local_endpoint)


def test_sending_uses_up_the_invitation_and_the_endpoint(channel: PlatformChannel) -> None:
    with (
        PlatformChannel() as unused,
        Invitation() as invitation,
        Invitation() as other,
        invitation.attach_message_pipe("a"),
        other.attach_message_pipe("a"),
    ):
        invitation.send(channel.local_endpoint)
        with pytest.raises(InvalidArgumentError, match="Invitation"):
            invitation.send(unused.local_endpoint)
        with pytest.raises(InvalidArgumentError, match="Invitation"):
            invitation.attach_message_pipe("b")
        with pytest.raises(InvalidArgumentError, match="ChannelEndpoint"):
            other.send(channel.local_endpoint)
        other.send(unused.local_endpoint)  # neither had been touched


def test_arguments_of_the_wrong_kind(channel: PlatformChannel) -> None:
    with Invitation() as invitation, invitation.attach_message_pipe("a"):
        with pytest.raises(TypeError):
            invitation.send(channel)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            invitation.send(channel.local_endpoint, on_error=3)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            Invitation.accept(3)  # type: ignore[arg-type]
        invitation.send(channel.local_endpoint)


def test_a_failed_send_leaves_all_as_it_was(
    channel: PlatformChannel, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Invitation() as invitation, invitation.attach_message_pipe("a") as near:

        def no_descriptor(fd: int) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(os, "dup", no_descriptor)
        with pytest.raises(MojoError, match="Too many open files"):
            invitation.send(channel.local_endpoint)
        monkeypatch.undo()
        near.write(b"kept")
        invitation.send(channel.local_endpoint)
        with accept_here(channel) as incoming, incoming.extract_message_pipe("a") as far:
            assert read(far) == b"kept"


def test_a_pipe_whose_unread_message_cannot_leave_keeps_the_invitation(
    channel: PlatformChannel, read: Read
) -> None:
    with Invitation() as invitation, invitation.attach_message_pipe("a") as near:
        near.write_message(_core.Message.from_object(object()))
        fd = channel.local_endpoint.fileno()
        with pytest.raises(FailedPreconditionError):
            invitation.send(channel.local_endpoint)
        assert channel.local_endpoint.fileno() == fd
        invitation.attach_message_pipe("b").close()
    assert near.value == 0


def test_the_order_of_sending_and_accepting_makes_no_difference(
    channel: PlatformChannel, read: Read
) -> None:
    accepted = list[IncomingInvitation]()
    thread = threading.Thread(target=lambda: accepted.append(accept_here(channel)))
    thread.start()
    with Invitation() as invitation, invitation.attach_message_pipe("a") as near:
        near.write(b"early")
        invitation.send(channel.local_endpoint)
        thread.join()
        near.write(b"late")
        with accepted[0] as incoming, incoming.extract_message_pipe("a") as far:
            assert [read(far), read(far)] == [b"early", b"late"]


# --- accepting ---


def test_an_unknown_name_or_the_same_again(channel: PlatformChannel) -> None:
    with Invitation() as invitation, invitation.attach_message_pipe("a"):
        invitation.send(channel.local_endpoint)
        with accept_here(channel) as incoming:
            with pytest.raises(NotFoundError, match="'b'"):
                incoming.extract_message_pipe("b")
            incoming.extract_message_pipe("a").close()
            with pytest.raises(NotFoundError, match="extracted already"):
                incoming.extract_message_pipe("a")
        with pytest.raises(InvalidArgumentError):
            incoming.extract_message_pipe("a")


def test_closing_closes_what_was_not_extracted(
    channel: PlatformChannel, wait_closed: WaitClosed
) -> None:
    with (
        Invitation() as invitation,
        invitation.attach_message_pipe("a") as a,
        invitation.attach_message_pipe("b") as b,
    ):
        invitation.send(channel.local_endpoint)
        with accept_here(channel) as incoming:
            far = incoming.extract_message_pipe("a")
            assert "1 pipes" in repr(incoming)
        incoming.close()
        wait_closed(b)
        assert not a.query_signals_state().peer_closed
        far.close()
        wait_closed(a)


def test_silence_leaves_the_endpoint_as_it_was(channel: PlatformChannel) -> None:
    for timeout in (0, -1, 0.02):
        with pytest.raises(DeadlineExceededError, match="no invitation"):
            Invitation.accept(channel.remote_endpoint, timeout)
    with Invitation() as invitation, invitation.attach_message_pipe("a"):
        invitation.send(channel.local_endpoint)
        accept_here(channel).close()
    with pytest.raises(InvalidArgumentError):
        Invitation.accept(channel.remote_endpoint)


def test_the_other_end_is_closed(channel: PlatformChannel) -> None:
    channel.local_endpoint.close()
    for _ in range(2):
        with pytest.raises(PeerClosedError):
            Invitation.accept(channel.remote_endpoint)
    channel.remote_endpoint.fileno()


def test_the_other_end_is_reset(channel: PlatformChannel) -> None:
    """It was closed with something unread, which the kernel tells as an error."""
    os.write(channel.remote_endpoint.fileno(), b"unread")
    channel.local_endpoint.close()
    with pytest.raises(PeerClosedError):
        Invitation.accept(channel.remote_endpoint)


GARBAGE = [b"x", b"GET / HTTP/1.0\r\n\r\n", bytes(64), b"\xff" * 10_000]


@pytest.mark.parametrize("garbage", GARBAGE, ids=["byte", "http", "zeros", "ones"])
def test_garbage(channel: PlatformChannel, garbage: bytes) -> None:
    os.write(channel.local_endpoint.fileno(), garbage)
    channel.local_endpoint.close()
    with pytest.raises(AbortedError):
        accept_here(channel)
    with pytest.raises(InvalidArgumentError):  # it was used up
        channel.remote_endpoint.fileno()


def test_the_begin_of_an_invitation_and_then_silence(channel: PlatformChannel) -> None:
    with PlatformChannel() as complete:
        with Invitation() as invitation, invitation.attach_message_pipe("a"):
            invitation.send(complete.local_endpoint)
        with socket.socket(fileno=complete.remote_endpoint._take()) as whole:
            frame, ancillary, _, _ = whole.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        for _level, _kind, data in ancillary:
            for fd in memoryview(data).cast("i"):
                os.close(fd)
    os.write(channel.local_endpoint.fileno(), frame[:4])
    with pytest.raises(DeadlineExceededError, match="as a whole"):
        Invitation.accept(channel.remote_endpoint, 0.05)
    assert os.read(channel.local_endpoint.fileno(), 1) == b""


def say(channel: PlatformChannel, payload: bytes, handles: list[Handle]) -> None:
    """Something that is a message, and no invitation."""
    with channel.local_endpoint._adopt() as pipe:
        pipe.write(payload, handles)


def far_end() -> MessagePipeHandle:
    near, far = create_message_pipe()
    near.close()
    return far


TWO = encode_invitation(1, [b"a", b"b"])
WRONG: dict[str, tuple[bytes, Callable[[], list[Handle]], type[MojoError]]] = {
    "empty": (b"", list, AbortedError),
    "short": (TWO[:10], list, AbortedError),
    "of something else": (b"x" * 100, list, AbortedError),
    "names cut off": (TWO[:-1], lambda: [far_end(), far_end()], AbortedError),
    "too long": (TWO + b"x", lambda: [far_end(), far_end()], AbortedError),
    "a length beyond the end": (TWO[:-5] + b"\xff\xff\xff\xffb", list, AbortedError),
    "too many names": (TWO[:20] + b"\xff\xff\xff\xff" + TWO[24:], list, AbortedError),
    "a name twice": (
        encode_invitation(1, [b"a", b"a"]),
        lambda: [far_end(), far_end()],
        AbortedError,
    ),
    "too few pipes": (TWO, lambda: [far_end()], AbortedError),
    "too many pipes": (TWO, lambda: [far_end(), far_end(), far_end()], AbortedError),
    "a buffer for a pipe": (TWO, lambda: [far_end(), create_shared_buffer(8)], AbortedError),
    "of tomorrow": (TWO[:8] + b"\2\0\0\0" + TWO[12:], list, UnimplementedError),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_message_that_is_no_invitation(channel: PlatformChannel, kind: str) -> None:
    payload, handles, error = WRONG[kind]
    say(channel, payload, handles())
    with pytest.raises(error):
        accept_here(channel)


def test_what_a_rejected_invitation_carried_is_closed(
    channel: PlatformChannel, wait_closed: WaitClosed
) -> None:
    near, far = create_message_pipe()
    producer, consumer = create_data_pipe()
    with near, producer, consumer:
        say(channel, TWO, [far, consumer])
        with pytest.raises(AbortedError):
            accept_here(channel)
        wait_closed(near)
        assert wait(producer, Signals.PEER_CLOSED, TIMEOUT)[1].peer_closed


def test_one_process_may_invite_itself(channel: PlatformChannel, read: Read) -> None:
    with Invitation() as invitation, invitation.attach_message_pipe("a") as near:
        invitation.send(channel.local_endpoint, on_error=lambda report: None)
        with accept_here(channel) as incoming, incoming.extract_message_pipe("a") as far:
            far.write(b"me")
            assert read(near) == b"me"


def test_an_endpoint_of_any_origin() -> None:
    here, there = socket.socketpair()
    with (
        ChannelEndpoint(here.detach()) as ours,
        ChannelEndpoint(there.detach()) as theirs,
        Invitation() as invitation,
        invitation.attach_message_pipe("a"),
    ):
        invitation.send(ours)
        Invitation.accept(theirs).close()
