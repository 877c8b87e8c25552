"""The memory budget: what is refused, with which words, and what makes room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import array_targets
import numpy as np
import pytest

from mojo_seq import (
    InvalidArgumentError,
    Message,
    ResourceExhaustedError,
    _core,
    create_message_pipe,
    spawn_process,
)
from mojo_seq.process import memory_statistics, set_memory_budget, shared_array
from mojo_seq.process.object_codec import decode, encode

MIB = 1 << 20


@pytest.fixture(autouse=True)
def at_first() -> Iterator[None]:
    _core.release_cached_memory()
    yield
    set_memory_budget(None)


def test_at_first_it_is_most_of_the_machines_memory() -> None:
    with open("/proc/meminfo") as file:
        machine = int(file.readline().split()[1]) * 1024
    assert 0 < memory_statistics().budget <= machine * 0.81
    set_memory_budget(10 * MIB)
    assert memory_statistics().budget == 10 * MIB
    set_memory_budget(None)
    assert memory_statistics().budget > 10 * MIB


@pytest.mark.parametrize(
    ("nbytes", "error"), [(0, InvalidArgumentError), (-1, InvalidArgumentError), (1.5, TypeError)]
)
def test_what_is_no_budget(nbytes: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        set_memory_budget(nbytes)


def test_beyond_it_there_is_an_error_that_tells_what_there_is() -> None:
    set_memory_budget(10 * MIB)
    arrays = [shared_array(2 * MIB, "u1") for _ in range(3)]
    with pytest.raises(ResourceExhaustedError) as caught:
        shared_array(5 * MIB, "u1")
    text = str(caught.value)
    assert f"{5 * MIB} bytes" in text and f"the budget of {10 * MIB} bytes" in text
    assert "in 3 segments are in use in this process" in text and "set_memory_budget" in text
    arrays.pop()
    assert shared_array(5 * MIB, "u1").nbytes == 5 * MIB
    arrays.clear()  # the error's traceback keeps them


def test_sizes_that_no_machine_has() -> None:
    for count in (1 << 50, 1 << 62, 1 << 70):
        with pytest.raises(ResourceExhaustedError):
            shared_array(count)


def test_what_is_kept_for_later_makes_room() -> None:
    set_memory_budget(10 * MIB)
    for mebibytes in (8, 4, 9, 2, 8):
        shared_array(mebibytes * MIB, "u1")[0] = 1
        statistics = memory_statistics()
        assert statistics.in_use == 0 and 0 < statistics.kept <= 10 * MIB


def test_messages_and_encoded_objects_are_counted() -> None:
    set_memory_budget(4 * MIB)
    pipe = create_message_pipe()
    with pytest.raises(ResourceExhaustedError, match="budget"):
        Message.allocate(5 * MIB)
    with pytest.raises(ResourceExhaustedError, match="budget"):
        encode(np.zeros(5 * MIB, "u1")).write_to(pipe.handle0)
    encode(np.zeros(3 * MIB, "u1")).write_to(pipe.handle0)
    assert memory_statistics().in_use_count == 1
    arrived = decode(pipe.handle1.read())
    with pytest.raises(ResourceExhaustedError, match="budget"):
        Message.allocate(3 * MIB)
    del arrived
    Message.allocate(3 * MIB).close()
    for end in pipe:
        end.close()


def test_what_others_use_counts_and_their_budget_is_ours() -> None:
    set_memory_budget(10 * MIB)
    with spawn_process(array_targets.serve) as child:
        array_targets.call(child.pipe, array_targets.keep, shared_array(6 * MIB, "u1"))
        assert memory_statistics().lent_count == 1
        with pytest.raises(
            ResourceExhaustedError, match="in 1 segments of it are in use in others"
        ):
            shared_array(6 * MIB, "u1")
        assert array_targets.call(child.pipe, array_targets.statistics)[0] == 10 * MIB
        array_targets.call(child.pipe, array_targets.forget)
        shared_array(6 * MIB, "u1")
