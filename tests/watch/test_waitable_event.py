"""WaitableEvent: signal, reset, wait (public contract §9)."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import WaitableEvent

TIMEOUT = 30.0
BLINK = 0.01


def test_a_new_event_is_not_signaled() -> None:
    # Public contract §9: signaled=False is the default.
    event = WaitableEvent()
    assert not event.is_signaled()
    assert event.wait(timeout=0) is False


def test_an_event_can_start_signaled() -> None:
    # Public contract §9.
    assert WaitableEvent(signaled=True).is_signaled()
    assert WaitableEvent(signaled=True).wait() is True


def test_a_manual_event_stays_signaled() -> None:
    # Public contract §9: manual_reset=True is the default.
    event = WaitableEvent()
    event.signal()
    assert event.is_signaled()
    assert [event.wait(timeout=0) for _ in range(3)] == [True] * 3


def test_reset_takes_the_signal_back() -> None:
    # Public contract §9.
    event = WaitableEvent(signaled=True)
    event.reset()
    assert not event.is_signaled()
    assert event.wait(timeout=0) is False


def test_an_automatic_event_is_reset_by_the_wait_it_ends() -> None:
    # Public contract §9: manual_reset=False.
    event = WaitableEvent(manual_reset=False, signaled=True)
    assert event.wait(timeout=0) is True
    assert event.wait(timeout=0) is False


def test_signaling_twice_is_signaling_once() -> None:
    # Public contract §9: a state, not a counter.
    event = WaitableEvent(manual_reset=False)
    event.signal()
    event.signal()
    assert event.wait(timeout=0) is True
    assert event.wait(timeout=0) is False


@pytest.mark.parametrize("timeout", [0, BLINK])
def test_a_timeout_returns_false(timeout: float) -> None:
    # Public contract §9.
    assert WaitableEvent().wait(timeout) is False


def test_options_are_keyword_only() -> None:
    # Public contract: arguments after * are keyword-only.
    with pytest.raises(TypeError):
        WaitableEvent(True)  # type: ignore[call-arg]


@pytest.mark.parametrize("timeout", [None, 3600, 1e9])
def test_signal_on_another_thread_ends_the_wait(timeout: float | None) -> None:
    # Public contract §9.
    event = WaitableEvent()
    waiting = threading.Event()

    def body() -> bool:
        waiting.set()
        return event.wait(timeout)

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        event.signal()
        assert future.result(TIMEOUT) is True


def test_a_manual_event_releases_every_waiter() -> None:
    # Public contract §9.
    event = WaitableEvent()
    all_waiting = threading.Barrier(9)

    def body() -> bool:
        all_waiting.wait(TIMEOUT)
        return event.wait()

    with ThreadPoolExecutor(8) as executor:
        futures = [executor.submit(body) for _ in range(8)]
        all_waiting.wait(TIMEOUT)
        event.signal()
        assert all(future.result(TIMEOUT) for future in futures)


def test_an_automatic_event_releases_one_waiter_per_signal() -> None:
    # Public contract §9: each signal is taken by exactly one wait.
    event = WaitableEvent(manual_reset=False)
    released = threading.Semaphore(0)
    signals = 500

    def body() -> int:
        taken = 0
        while event.wait(TIMEOUT) and not done.is_set():
            taken += 1
            released.release()
        return taken

    done = threading.Event()
    with ThreadPoolExecutor(4) as executor:
        futures = [executor.submit(body) for _ in range(4)]
        for _ in range(signals):
            event.signal()
            assert released.acquire(timeout=TIMEOUT)
        assert not event.is_signaled()
        done.set()
        while not all(future.done() for future in futures):
            event.signal()
        assert sum(future.result(TIMEOUT) for future in futures) == signals


def test_ping_pong_of_two_automatic_events_loses_no_signal() -> None:
    # Public contract §9.
    rounds = 3000
    ping, pong = WaitableEvent(manual_reset=False), WaitableEvent(manual_reset=False)

    def answer() -> None:
        for _ in range(rounds):
            assert ping.wait(TIMEOUT)
            pong.signal()

    with ThreadPoolExecutor(1) as executor:
        answering = executor.submit(answer)
        for _ in range(rounds):
            ping.signal()
            assert pong.wait(TIMEOUT)
        answering.result(TIMEOUT)
