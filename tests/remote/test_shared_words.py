"""SharedWords: atomic words by which processes agree (our own decision, for the layers above)."""

from __future__ import annotations

import threading

import pytest

import mojo_seq
from mojo_seq import (
    InvalidArgumentError,
    SharedBufferMapping,
    Signals,
    _core,
    create_shared_buffer,
    spawn_process,
)
from mojo_seq.system import MessagePipeHandle, SharedBufferHandle

TURNS = 20_000


def words_of(handle: SharedBufferHandle) -> _core.SharedWords:
    return _core.SharedWords(handle.map())


def test_words_are_zero_stored_and_exchanged() -> None:
    with create_shared_buffer(64) as handle:
        words = words_of(handle)
        assert words.count == 16
        assert words.load(15) == 0
        words.store(15, 2**32 - 1)
        assert words.compare_exchange(15, 7, 8) == 2**32 - 1
        assert words.load(15) == 2**32 - 1
        assert words.compare_exchange(15, 2**32 - 1, 8) == 2**32 - 1
        assert words.load(15) == 8
        assert words.load(14) == 0


def test_several_words_are_changed_at_once() -> None:
    with create_shared_buffer(32) as handle:
        words = words_of(handle)
        words.fill(2, 4, 9)
        words.fill(7, 0, 5)
        words.fill(8, 0, 5)
        assert [words.load(each) for each in range(8)] == [0, 0, 9, 9, 9, 9, 0, 0]
        for first, count in ((-1, 2), (7, 2), (8, 1)):
            with pytest.raises(InvalidArgumentError):
                words.fill(first, count, 1)
        assert [words.load(each) for each in (0, 7)] == [0, 0]


def test_indices_and_values_are_checked() -> None:
    with create_shared_buffer(64) as handle:
        words = words_of(handle)
        for index in (-1, 16, 2**40):
            with pytest.raises(InvalidArgumentError, match="there are 16 words"):
                words.load(index)
        with pytest.raises(OverflowError):
            words.store(0, 2**32)
        with pytest.raises(OverflowError):
            words.store(0, -1)


def test_a_read_only_mapping_has_no_words() -> None:
    with create_shared_buffer(64) as handle, handle.duplicate(read_only=True) as other:
        with pytest.raises(InvalidArgumentError, match="read-only"):
            _core.SharedWords(other.map())
        with pytest.raises(InvalidArgumentError, match="multiples of 4"):
            _core.SharedWords(handle.map(1, 32))
        with pytest.raises(TypeError):
            _core.SharedWords(None)  # type: ignore[arg-type]


def test_words_keep_the_memory_mapped() -> None:
    with create_shared_buffer(64) as handle:
        mapping: SharedBufferMapping = handle.map()
        words = _core.SharedWords(mapping)
        with pytest.raises(BufferError):
            mapping.unmap()
        words.store(0, 3)
        del words
        mapping.unmap()
        with pytest.raises(InvalidArgumentError, match="no longer mapped"):
            _core.SharedWords(mapping)


def add(words: _core.SharedWords, index: int) -> None:
    """One more, by compare and exchange."""
    found = words.load(index)
    while (before := words.compare_exchange(index, found, found + 1)) != found:
        found = before


def add_often(pipe: MessagePipeHandle, handle: SharedBufferHandle) -> None:
    with pipe, handle:
        words = words_of(handle)
        pipe.write(b"ready")
        for _ in range(TURNS):
            add(words, 0)


def test_no_exchange_is_lost_between_threads_and_processes() -> None:
    with create_shared_buffer(64) as handle:
        words = words_of(handle)
        with spawn_process(add_often, handle.duplicate()) as child:
            mojo_seq.wait(child.pipe, Signals.READABLE, 30)
            threads = [threading.Thread(target=_turns, args=(words,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert child.wait(30) == 0
        assert words.load(0) == 3 * TURNS


def _turns(words: _core.SharedWords) -> None:
    for _ in range(TURNS):
        add(words, 0)
