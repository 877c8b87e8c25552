"""wait_many: several handles, one answer (public contract §9, system rules §11)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    InvalidArgumentError,
    MessagePipe,
    Result,
    Signals,
    SignalsState,
    create_data_pipe,
    create_shared_buffer,
    wait_many,
)

MakePipe = Callable[[], MessagePipe]
Answer = tuple[Result, int | None, list[SignalsState]]
TIMEOUT = 30.0
BLINK = 0.01  # a wait this long is over soon; how long it takes is not looked at


def readable(pipes: list[MessagePipe], timeout: float | None = None) -> Answer:
    return wait_many([(pipe.handle0, Signals.READABLE) for pipe in pipes], timeout)


def test_the_index_of_the_ready_handle(make_pipe: MakePipe) -> None:
    # System rules §11: the handle whose own wait would finish.
    pipes = [make_pipe() for _ in range(5)]
    pipes[3].handle1.write(b"x")
    result, index, states = readable(pipes)
    assert (result, index) == (Result.OK, 3)
    assert [state.readable for state in states] == [False, False, False, True, False]


def test_the_states_are_those_of_all_handles_in_order(make_pipe: MakePipe) -> None:
    # System rules §11: the deciding handle's snapshot and a fresh query for the rest.
    pipes = [make_pipe() for _ in range(3)]
    pipes[0].handle1.write(b"x")
    pipes[2].handle1.close()
    _, _, states = wait_many(
        [
            (pipes[0].handle0, Signals.PEER_CLOSED),
            (pipes[1].handle0, Signals.PEER_CLOSED),
            (pipes[2].handle0, Signals.PEER_CLOSED),
        ]
    )
    assert states == [pipe.handle0.query_signals_state() for pipe in pipes]


def test_each_handle_has_its_own_signals(pipe: MessagePipe) -> None:
    # Public contract §9: a list of (handle, signals).
    result, index, _ = wait_many(
        [(pipe.handle0, Signals.READABLE), (pipe.handle1, Signals.WRITABLE)]
    )
    assert (result, index) == (Result.OK, 1)


def test_an_impossible_handle_decides(make_pipe: MakePipe) -> None:
    # System rules §11: FAILED_PRECONDITION with its index.
    pipes = [make_pipe() for _ in range(3)]
    pipes[1].handle1.close()
    result, index, states = readable(pipes)
    assert (result, index) == (Result.FAILED_PRECONDITION, 1)
    assert states[1].never_readable


def test_of_several_ready_handles_one_is_named(make_pipe: MakePipe) -> None:
    # System rules §11: which one is unspecified.
    pipes = [make_pipe() for _ in range(4)]
    for pipe in pipes[1:]:
        pipe.handle1.write(b"x")
    result, index, _ = readable(pipes)
    assert result is Result.OK and index in (1, 2, 3)


@pytest.mark.parametrize("timeout", [0, BLINK])
def test_a_timeout_names_no_handle(make_pipe: MakePipe, timeout: float) -> None:
    # Public contract §9: DEADLINE_EXCEEDED with index None, and all states.
    pipes = [make_pipe() for _ in range(3)]
    result, index, states = readable(pipes, timeout)
    assert (result, index) == (Result.DEADLINE_EXCEEDED, None)
    assert states == [pipe.handle0.query_signals_state() for pipe in pipes]


@pytest.mark.parametrize("which", [0, 24, 49])
def test_a_write_on_another_thread_ends_the_wait(make_pipe: MakePipe, which: int) -> None:
    # System rules §11.
    pipes = [make_pipe() for _ in range(50)]
    waiting = threading.Event()

    def body() -> Answer:
        waiting.set()
        return readable(pipes)

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        pipes[which].handle1.write(b"x")
        result, index, states = future.result(TIMEOUT)
    assert (result, index) == (Result.OK, which)
    assert states[which].readable


def test_closing_one_of_the_handles_cancels_the_wait(make_pipe: MakePipe) -> None:
    # System rules §11: CANCELLED with its index.
    for _ in range(200):
        pipes = [make_pipe() for _ in range(3)]
        waiting = threading.Event()

        def body(pipes: list[MessagePipe] = pipes, waiting: threading.Event = waiting) -> Answer:
            waiting.set()
            return readable(pipes)

        with ThreadPoolExecutor(1) as executor:
            future = executor.submit(body)
            assert waiting.wait(TIMEOUT)
            # Time for the thread to block; when it had not yet, the wait is refused: once more.
            threading.Event().wait(BLINK)
            pipes[1].handle0.close()
            try:
                result, index, states = future.result(TIMEOUT)
            except InvalidArgumentError:
                continue
            assert (result, index, len(states)) == (Result.CANCELLED, 1, 3)
            return
    raise AssertionError("the handle was always closed before the wait began")


def test_the_same_handle_may_stand_twice(pipe: MessagePipe) -> None:
    # Public contract §9.
    entries = [(pipe.handle0, Signals.READABLE), (pipe.handle0, Signals.PEER_CLOSED)]
    assert wait_many(entries, 0)[:2] == (Result.DEADLINE_EXCEEDED, None)
    pipe.handle1.write(b"x")
    assert wait_many(entries)[:2] == (Result.OK, 0)
    pipe.handle0.read()
    pipe.handle1.close()
    result, index, _ = wait_many(entries)
    assert (result, index) in [(Result.FAILED_PRECONDITION, 0), (Result.OK, 1)]


def test_the_same_handle_twice_wakes_up_too(pipe: MessagePipe) -> None:
    # Public contract §9: also when the wait has to block.
    waiting = threading.Event()

    def body() -> Answer:
        waiting.set()
        return wait_many([(pipe.handle0, Signals.PEER_CLOSED), (pipe.handle0, Signals.READABLE)])

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        pipe.handle1.write(b"x")
        assert future.result(TIMEOUT)[:2] == (Result.OK, 1)


def test_handles_of_different_types_mix(pipe: MessagePipe) -> None:
    # Public contract §9.
    producer, consumer = create_data_pipe(16)
    with producer, consumer:
        producer.write(b"abc")
        entries = [(pipe.handle0, Signals.READABLE), (consumer, Signals.NEW_DATA_READABLE)]
        assert wait_many(entries)[:2] == (Result.OK, 1)


def test_an_empty_list_is_refused() -> None:
    # Public contract §9.
    with pytest.raises(InvalidArgumentError):
        wait_many([])


def test_the_first_bad_handle_is_named(make_pipe: MakePipe) -> None:
    # System rules §11: INVALID with the index of the first bad one, though others are ready.
    pipes = [make_pipe() for _ in range(4)]
    pipes[0].handle1.write(b"x")
    pipes[1].handle0.close()
    with create_shared_buffer(8) as buffer:
        entries = [(pipe.handle0, Signals.READABLE) for pipe in pipes]
        with pytest.raises(InvalidArgumentError) as caught:
            wait_many([*entries, (buffer, Signals.READABLE)])
        assert caught.value.index == 1
        with pytest.raises(InvalidArgumentError) as caught:
            wait_many([entries[0], (buffer, Signals.READABLE), entries[1]])
        assert caught.value.index == 1


def test_wrong_types_are_type_errors(pipe: MessagePipe) -> None:
    # Public contract §1.
    with pytest.raises(TypeError):
        wait_many([pipe.handle0])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        wait_many([("handle", Signals.READABLE)])  # type: ignore[list-item]


def test_any_iterable_order_is_kept_for_a_thousand_handles(make_pipe: MakePipe) -> None:
    # Public contract §9: states in the order of the list.
    pipes = [make_pipe() for _ in range(1000)]
    pipes[777].handle1.write(b"x")
    result, index, states = readable(pipes)
    assert (result, index) == (Result.OK, 777)
    assert [number for number, state in enumerate(states) if state.readable] == [777]
