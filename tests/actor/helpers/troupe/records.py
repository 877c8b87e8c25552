"""Waiting for a log record: a worker's come by a pipe of their own, in no order with the rest."""

from __future__ import annotations

import logging
import threading


class RecordAwaiter(logging.Handler):
    """Hears of the first record whose message contains a text, as long as the block lasts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self._heard.set()

    def wait(self, timeout: float) -> bool:
        """False: it did not come in time."""
        return self._heard.wait(timeout)

    def __enter__(self) -> RecordAwaiter:
        logging.getLogger("mojo_seq").addHandler(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        logging.getLogger("mojo_seq").removeHandler(self)
