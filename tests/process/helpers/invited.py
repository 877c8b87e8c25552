"""Programs that are invited, started by nothing but subprocess."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mojo_seq import PlatformChannel

TIMEOUT = 30.0

PROLOGUE = """
import os, sys, time
from mojo_seq import *
from mojo_seq import _core

def accept():
    with ChannelEndpoint.from_environment() as endpoint:
        return Invitation.accept(endpoint)

def next_message(pipe):
    wait(pipe, Signals.READABLE)
    return pipe.read()
"""


@contextmanager
def invited(
    code: str, channel: PlatformChannel, *, leave: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program that has the channel's remote end. It ends by itself, or `leave` is True."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROLOGUE + code]
    with subprocess.Popen(command, **channel.remote_endpoint.pass_to()) as child:
        channel.remote_endpoint.close()
        try:
            yield child
            if not leave:
                assert child.wait(TIMEOUT) == 0
        finally:
            child.kill()
