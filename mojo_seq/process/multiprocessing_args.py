"""Handles as arguments of multiprocessing.Process, with the start methods spawn and forkserver.

Nothing here imports multiprocessing: who has not done so starts no process with it.
"""

from __future__ import annotations

import os
import sys

from mojo_seq import _core
from mojo_seq.process import encoding

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any


def reduce_handle(handle: _core.Handle) -> Any:
    """What pickle makes of a handle: something beside it while an object is encoded in this
    thread, an argument while a process is started in it; else nothing, which the core says in its
    own words."""
    if encoding.here.encoder is not None:
        return encoding.reduce_handle(handle)
    context = sys.modules.get("multiprocessing.context")
    popen = context.get_spawning_popen() if context is not None else None
    if popen is None:
        return NotImplemented
    from mojo_seq.process.multiprocessing_transfer import Transfer

    return Transfer.of(popen).add(handle)


def flush_before_exit() -> None:
    """Many of multiprocessing's processes end without `atexit`: what they have written last must
    not be lost. To be called in every process, as soon as multiprocessing is known there."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    # Those that are forked have their list of finalizers emptied, and this called then.
    util.register_after_fork(_finalize_with_flush, _finalize_with_flush)
    _finalize_with_flush()


def _finalize_with_flush(registered: object = None) -> None:
    sys.modules["multiprocessing.util"].Finalize(None, _flush, exitpriority=-1000)


def _flush() -> None:
    if sys.modules["multiprocessing.process"].parent_process() is None:
        return  # the main process, where `atexit` does it
    lost = _core.flush(_core.EXIT_TIMEOUT)
    if lost:
        print(f"mojo_seq: {lost} messages were not delivered at exit", file=sys.stderr)


def install() -> None:
    """Tells the core how to pickle handles, and takes care of flushing in this process."""
    _core.set_handle_reducer(reduce_handle)
    flush_before_exit()
    os.register_at_fork(after_in_child=flush_before_exit)
