"""mojo_seq.cli.workers: what a worker process runs. The demo's tests start real ones."""

from __future__ import annotations

import pytest

from mojo_seq import create_data_pipe, create_message_pipe
from mojo_seq.cli.records import to_message
from mojo_seq.cli.workers import serve


def test_serving_ends_when_the_reader_is_gone() -> None:
    reader, worker = create_message_pipe()
    producer, consumer = create_data_pipe()
    with producer:
        reader.write(b"", [consumer])
        reader.write_message(to_message([[0, True]]))
        reader.close()
        serve(worker)
        assert not worker.is_valid
        assert producer.query_signals_state().peer_closed


def test_a_defect_ends_serving_and_is_raised() -> None:
    reader, worker = create_message_pipe()
    producer, consumer = create_data_pipe()
    with reader, producer:
        reader.write(b"", [consumer])
        reader.write(b"no JSON")
        with pytest.raises(ValueError, match="Expecting value"):
            serve(worker)
        assert not worker.is_valid
