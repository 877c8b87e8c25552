"""mojo_seq.cli.records"""

from __future__ import annotations

import pytest

from mojo_seq import create_message_pipe
from mojo_seq.cli.records import from_message, to_message


@pytest.mark.parametrize("leaves_the_process", [False, True])
def test_a_record_arrives_as_it_was_sent(leaves_the_process: bool) -> None:
    record = {"path": "caf\udce9", "size": 2**60, "entropy": 7.25, "nested": {"list": [1, None]}}
    near, far = create_message_pipe()
    with near, far:
        message = to_message(record)
        if leaves_the_process:
            message.serialize()
        near.write_message(message)
        received = from_message(far.read())
    assert received == record
    assert (received is record) == (not leaves_the_process)
