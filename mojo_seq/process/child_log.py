"""The log of a started process: its parent's."""

from __future__ import annotations

import logging
import os
import sys
import threading

from mojo_seq import _core
from mojo_seq.process import log_record

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, TypeAlias

    _ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

LOGGER = "mojo_seq"


def levels_here() -> dict[str, Any]:
    """What a started process takes over of this one's logging: levels, and captured warnings."""
    manager = logging.root.manager
    loggers = {
        name: logger.level
        for name, logger in list(manager.loggerDict.items())
        if isinstance(logger, logging.Logger) and logger.level != logging.NOTSET
    }
    return {
        "root": logging.root.level,
        "loggers": loggers,
        "disable": manager.disable,
        "warnings": getattr(logging, "_warnings_showwarning", None) is not None,
    }


class ParentHandler(logging.Handler):
    """Sends records to the parent, which gives them to its logger of the same name.

    Where that cannot be done any more, in a forked child or at the very end, they go where
    records without a handler go: to stderr.
    """

    def __init__(self, control: _core.MessagePipeHandle, process_name: str) -> None:
        super().__init__()
        self._control = control
        self._process_name = process_name
        self._pid = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.processName == "MainProcess":
                record.processName = self._process_name
            if not self._send(log_record.encode(record)) and logging.lastResort is not None:
                logging.lastResort.handle(record)
        except Exception:
            self.handleError(record)

    def _send(self, payload: bytes) -> bool:
        if os.getpid() != self._pid or not self._control.is_valid:
            return False
        try:
            self._control.write(payload)
        except (_core.PeerClosedError, _core.InvalidArgumentError):
            return False
        return True

    def report(self, text: str, exc_info: _ExcInfo) -> None:
        """Sends an error of the process itself, whatever its program has done to its logging."""
        self.emit(
            logging.getLogger(LOGGER).makeRecord(
                LOGGER, logging.ERROR, __file__, 0, text, (), exc_info
            )
        )


def install(control: _core.MessagePipeHandle, name: str, levels: dict[str, Any]) -> ParentHandler:
    """Makes the parent's logging this process's, and tells it of exceptions that nobody catches."""
    handler = ParentHandler(control, name)
    logging.root.addHandler(handler)
    logging.root.setLevel(levels.get("root", logging.WARNING))
    for logger, level in levels.get("loggers", {}).items():
        logging.getLogger(logger).setLevel(level)
    logging.disable(levels.get("disable", logging.NOTSET))
    if levels.get("warnings"):
        logging.captureWarnings(True)
    _report_exceptions(handler, f"process {name!r} (pid {os.getpid()})")
    return handler


def _report_exceptions(handler: ParentHandler, process: str) -> None:
    def in_thread(unhandled: threading.ExceptHookArgs) -> None:
        error = unhandled.exc_value
        if error is None or isinstance(error, SystemExit):  # as Python does
            return
        thread = unhandled.thread.name if unhandled.thread is not None else "unknown"
        handler.report(
            f"thread {thread!r} of {process} ended by an exception",
            (unhandled.exc_type, error, unhandled.exc_traceback),
        )

    def unraisable(unhandled: sys.UnraisableHookArgs) -> None:
        error = unhandled.exc_value
        if error is None:
            sys.__unraisablehook__(unhandled)
            return
        what = unhandled.err_msg or "Exception ignored in"
        handler.report(
            f"{process}: {what}: {unhandled.object!r}",
            (unhandled.exc_type, error, unhandled.exc_traceback),
        )

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
