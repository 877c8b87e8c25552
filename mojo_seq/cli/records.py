"""Objects in messages: passed as they are within a process, as JSON to another one."""

from __future__ import annotations

import json
from typing import Any

from mojo_seq import Message


def to_message(record: object) -> Message:
    """A message whose content becomes bytes only if it has to leave the process."""
    return Message.from_object(record, lambda record: json.dumps(record).encode())


def from_message(message: Message) -> Any:
    """What is in a message made by `to_message`, wherever it came from. Consumes the message."""
    with message:
        return json.loads(bytes(message)) if message.is_serialized else message.take_context()
