"""What `encode` can be told: another pickler, objects too large for a message, writing it again."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from mojo_seq import MessagePipeHandle, _core
from mojo_seq.process import give, object_codec, shared_array
from mojo_seq.process.object_codec import Encoded, decode, encode

Pipes = tuple[MessagePipeHandle, MessagePipeHandle]


def arrived(pipes: Pipes, encoded: Encoded) -> Any:
    encoded.write_to(pipes[0])
    _core.wait(pipes[1], _core.Signals.READABLE, 30.0)
    return decode(pipes[1].read())


class Named:
    """Stands for something that pickle does not know how to pickle."""

    def __reduce__(self) -> Any:
        raise TypeError("not by pickle itself")


class OtherPickler(pickle.Pickler):
    """As cloudpickle's: with a hook of its own."""

    def reducer_override(self, obj: Any) -> Any:
        return (str, ("pickled by the other",)) if isinstance(obj, Named) else NotImplemented


@pytest.mark.parametrize("shared", [False, True])
def test_another_pickler_pickles_and_shared_arrays_stay_shared(
    remote_pipe: Pipes, shared: bool
) -> None:
    array = shared_array((10, 10)) if shared else np.zeros((10, 10))
    with pytest.raises(TypeError):
        encode([Named()])
    named, there = arrived(remote_pipe, encode([Named(), array[::2]], pickler=OtherPickler))
    assert named == "pickled by the other"
    there[:] = 1
    assert array.sum() == (50 if shared else 0)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("keep", [False, True])
def test_what_is_too_large_for_a_message_is_split(
    remote_pipe: Pipes, monkeypatch: pytest.MonkeyPatch, read_only: bool, keep: bool
) -> None:
    monkeypatch.setattr(object_codec, "_HUGE", 1 << 20)
    monkeypatch.setattr(object_codec, "_LARGE_BUFFER", 1 << 18)
    old = _core.set_max_message_bytes(1 << 20)
    try:
        arrays = [np.full(count, count) for count in (100_000, 10, 20_000, 50_000, 0)]
        shared = shared_array(200_000)
        parcel = {"all": [*arrays, shared], "given": give(np.full(60_000, 6))}
        encoded = encode(parcel, b"suffix", read_only=read_only)
        encoded.keep = keep
        for turn in range(1 + keep):
            there = arrived(remote_pipe, encoded)
            for sent, got in zip(arrays, there["all"][:-1], strict=True):
                assert len(got) == len(sent) and (got == len(sent)).all()
                assert got.flags.writeable != read_only
            assert (there["given"] == 6).all() and there["given"].flags.writeable
            there["all"][-1][0] = turn + 1
            assert shared[0] == turn + 1
            del there, got
        encoded.discard()
        with pytest.raises(_core.ResourceExhaustedError):
            encode(bytes(2 << 20)).write_to(remote_pipe[0])
    finally:
        _core.set_max_message_bytes(old)


def test_large_pickles_without_buffers(remote_pipe: Pipes) -> None:
    for obj in ("t" * 300_000, b"b" * 1_000_000, list(range(100_000))):
        encoded = encode(obj, b"suffix")
        encoded.keep = True
        for _ in range(2):
            assert arrived(remote_pipe, encoded) == obj


def test_kept_ones_leave_nothing_when_they_are_discarded(remote_pipe: Pipes) -> None:
    _core.release_cached_memory()
    encoded = encode([np.zeros(100_000), shared_array(1000)])
    encoded.keep = True
    arrived(remote_pipe, encoded)
    assert _core.memory_usage()[1] == 2
    encoded.discard()
    assert _core.memory_usage()[1] == 0
