"""Messages of tasks that are plain: what the core encodes is what pickle would."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from mojo_seq import Message, PeerClosedError, _core, create_message_pipe
from mojo_seq.pool.task_wire import ANSWER, RESULT

DEEP = ([{"a": ("b", 1.5, None, True)}],)


@pytest.mark.parametrize("result", [None, 0, 2**70, "text", b"bytes", (), [1, [2]], {"a": DEEP[0]}])
def test_an_answer_goes_to_and_fro(result: object) -> None:
    message = _core.plain_answer(result, 12345, RESULT)
    assert message is not None
    assert pickle.loads(message) == result
    assert ANSWER.unpack_from(message, len(message) - ANSWER.size) == (12345, RESULT)
    assert _core.decode_plain_answer(message) == (RESULT, 12345, result)


@pytest.mark.parametrize("result", [object(), bytearray(3), {1, 2}, range(3), bytes(65536), type])
def test_what_is_not_plain_is_for_others(result: object) -> None:
    assert _core.plain_answer(result, 1, RESULT) is None
    assert _core.plain_call((result,), {}, b"") is None


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), (DEEP, {}), ((), {"k": DEEP}), ((1,), {"k": 2})]
)
def test_a_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    for suffix in (b"", b"suffix"):
        message = _core.plain_call(args, kwargs, suffix)
        assert message is not None and message.endswith(suffix)
        assert pickle.loads(message) == (args, kwargs)


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(_core.DataLossError):
        _core.decode_plain_answer(b"12345")
    with pytest.raises(pickle.UnpicklingError):
        _core.decode_plain_answer(b"\x80\x05 nonsense")


def test_plain_messages_are_read_as_bytes() -> None:
    here, there = create_message_pipe()
    more, more_there = create_message_pipe()
    with here, there, more_there:
        answer = _core.plain_answer(1, 2, RESULT)
        assert answer is not None
        here.write_batch([answer, b"", b"\x01else", bytes([0x80]) * 65536])
        here.write(answer, [more])
        first, *others = _core.read_plain_batch(there, 10)
        assert first == answer
        assert all(isinstance(each, Message) for each in others)
        assert [len(each) for each in others] == [0, 5, 65536, len(answer)]
        assert isinstance(others[-1], Message)
        for each in others[-1].take_handles():
            each.close()
        assert _core.read_plain_batch(there) == []
        here.write_batch([answer] * 5)
        assert _core.read_plain_batch(there, 3) == [answer] * 3
        here.close()
        assert _core.read_plain_batch(there) == [answer] * 2
        with pytest.raises(PeerClosedError):
            _core.read_plain_batch(there)
