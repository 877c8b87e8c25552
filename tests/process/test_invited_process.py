"""Programs that accept an invitation, and some that do not (contract §10, system rules §12)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from invited import PROLOGUE, invited

from mojo_seq import (
    Invitation,
    MessagePipeHandle,
    NamedChannel,
    PlatformChannel,
    Signals,
    create_message_pipe,
    wait,
)

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]
WaitClosed = Callable[[MessagePipeHandle], None]


def test_ctrl_c_ends_the_wait(tmp_path: Path) -> None:
    code = """
signal_module = __import__("signal")
signal_module.signal(signal_module.SIGINT, signal_module.default_int_handler)
with PlatformChannel() as channel:
    for started in (b"", b"M"):
        os.write(channel.local_endpoint.fileno(), started)
        try:
            print("waiting", flush=True)
            Invitation.accept(channel.remote_endpoint, None)
        except (KeyboardInterrupt, AbortedError) as error:
            print(type(error).__name__, flush=True)
"""
    command = [sys.executable, "-c", PROLOGUE + code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "waiting\n"
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "KeyboardInterrupt\n"
            assert child.stdout.readline() == "waiting\n"
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() in ("KeyboardInterrupt\n", "AbortedError\n")
        finally:
            child.kill()


def test_a_program_that_somebody_else_starts(
    channel: PlatformChannel, read: Read, wait_closed: WaitClosed
) -> None:
    code = """
with accept() as incoming, incoming.extract_message_pipe("talk") as pipe:
    with next_message(pipe) as message, message.take_handles()[0] as handle:
        handle.write(bytes(message).upper())
"""
    with Invitation() as invitation, invited(code, channel):
        near = invitation.attach_message_pipe("talk")
        other = invitation.attach_message_pipe("not used")
        invitation.send(channel.local_endpoint)
        a, b = create_message_pipe()
        with near, other, a:
            near.write(b"hello", [b])
            assert read(a) == b"HELLO"
            wait_closed(near)
            wait_closed(other)


def test_over_a_named_channel(tmp_path: Path, read: Read) -> None:
    code = """
with NamedChannel.connect(sys.argv[1]) as endpoint, Invitation.accept(endpoint) as incoming:
    with incoming.extract_message_pipe(b"x") as pipe:
        pipe.write(b"met")
"""
    path = tmp_path / "channel"
    with NamedChannel.listen(path) as server, Invitation() as invitation:
        near = invitation.attach_message_pipe(b"x")
        command = [sys.executable, "-c", PROLOGUE + code, str(path)]
        with near, subprocess.Popen(command) as child, server.accept(TIMEOUT) as endpoint:
            invitation.send(endpoint)
            assert read(near) == b"met"
            assert child.wait(TIMEOUT) == 0


@pytest.mark.parametrize(
    "code",
    ["", "sys.exit(3)", "os.kill(os.getpid(), 9)", "ChannelEndpoint.from_environment().close()"],
)
def test_a_process_that_never_accepts(
    channel: PlatformChannel, wait_closed: WaitClosed, code: str
) -> None:
    """The local ends see it, whether the invitation is sent before or after its end."""
    with (
        PlatformChannel() as second,
        Invitation() as early,
        Invitation() as late,
        early.attach_message_pipe("a") as a,
        late.attach_message_pipe("b") as b,
    ):
        with invited(code, channel, leave=True), invited(code, second, leave=True) as child:
            early.send(channel.local_endpoint, on_error=lambda report: None)
            child.wait(TIMEOUT)
        late.send(second.local_endpoint, on_error=lambda report: None)
        wait_closed(a)
        wait_closed(b)


def test_an_accepted_invitation_lost_with_its_process(
    channel: PlatformChannel, read: Read, wait_closed: WaitClosed
) -> None:
    code = """
incoming = accept()
with incoming.extract_message_pipe("a") as pipe:
    pipe.write(b"last words")
    time.sleep(3600)
"""
    with Invitation() as invitation, invitation.attach_message_pipe("a") as near:
        with invited(code, channel, leave=True) as child:
            invitation.send(channel.local_endpoint)
            wait(near, Signals.READABLE, TIMEOUT)
            child.kill()
            child.wait()
        assert read(near) == b"last words"
        wait_closed(near)


@pytest.mark.parametrize("answer", [b"", b"x" * 16, b"MOJOansw", bytes(1 << 20)])
def test_a_guest_that_answers_nonsense_costs_only_the_reports(
    channel: PlatformChannel, read: Read, answer: bytes
) -> None:
    """It speaks the messages' language, and not the invitation's."""
    with Invitation() as invitation, invitation.attach_message_pipe("a") as near:
        invitation.send(channel.local_endpoint, on_error=lambda report: None)
        with channel.remote_endpoint._adopt() as control:
            assert wait(control, Signals.READABLE, TIMEOUT)[1].readable
            with control.read() as message:
                (far,) = message.take_handles()
            assert isinstance(far, MessagePipeHandle)
            control.write(answer)
            assert wait(control, Signals.PEER_CLOSED, TIMEOUT)[1].peer_closed
            with far:
                far.write(b"goes on")
                assert read(near) == b"goes on"
