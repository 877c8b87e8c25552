"""Targets for the demo's worker processes that do not do what they should."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from mojo_seq import Message, MessagePipeHandle
from mojo_seq.cli import workers
from mojo_seq.cli.worker import Worker

serve = workers.serve


def with_a_defect(pipe: MessagePipeHandle) -> None:
    def on_message(self: Worker, message: Message) -> None:
        raise LookupError("a defect")

    Worker._on_message = on_message  # type: ignore[method-assign]
    serve(pipe)


def one_leaves(pipe: MessagePipeHandle) -> None:
    """Of all, the first that comes this far."""
    try:
        Path(os.environ["MARKER"]).touch(exist_ok=False)
    except FileExistsError:
        serve(pipe)
    else:
        sys.exit(3)


def deaf(pipe: MessagePipeHandle) -> None:
    """Closes its pipe, and stays."""
    pipe.close()
    threading.Event().wait()


def lingering(pipe: MessagePipeHandle) -> None:
    """Does its work, and stays."""
    serve(pipe)
    threading.Event().wait()
