"""CancelScope, move_on_after, fail_after (public contract §12). On mock time: see also
test_task_group_mock_time.py."""

from __future__ import annotations

import concurrent.futures
import threading
import time

import anyio
import pytest

from mojo_seq import (
    Actor,
    ActorSystem,
    CancelledError,
    CancelScope,
    DeadlineExceededError,
    InvalidArgumentError,
    ThreadPool,
    check_cancelled,
    current_task,
    fail_after,
    move_on_after,
)
from mojo_seq.testing import TaskEnvironment

TIMEOUT = 30.0


def cooperate() -> None:
    """Goes on until it is cancelled."""
    current_task().sleep(TIMEOUT)
    raise AssertionError("was not cancelled")


def test_nothing_happens_outside_of_scopes() -> None:
    check_cancelled()


def test_a_cancelled_scope_ends_at_the_next_check() -> None:
    reached = False
    with CancelScope() as scope:
        check_cancelled()
        scope.cancel()
        scope.cancel()
        check_cancelled()
        reached = True
    assert not reached
    assert scope.cancel_called and scope.cancelled_caught
    check_cancelled()


def test_it_raises_until_the_block_is_left() -> None:
    with CancelScope() as scope:
        scope.cancel()
        for _ in range(3):
            with pytest.raises(CancelledError):
                check_cancelled()
    assert scope.cancel_called and not scope.cancelled_caught


def test_it_may_be_cancelled_before_it_is_entered() -> None:
    scope = CancelScope()
    scope.cancel()
    with scope:
        check_cancelled()
    assert scope.cancelled_caught


def test_it_is_entered_once() -> None:
    with CancelScope() as scope:
        pass
    with pytest.raises(RuntimeError, match="once"), scope:
        raise AssertionError("not reached")


def test_other_errors_go_through() -> None:
    with pytest.raises(LookupError), CancelScope() as scope:
        scope.cancel()
        raise LookupError
    assert not scope.cancelled_caught


def test_cancelled_errors_of_others_go_through() -> None:
    for error in (CancelledError("of a handle"), concurrent.futures.CancelledError()):
        with pytest.raises(type(error)), CancelScope():
            raise error


def test_the_outermost_that_is_cancelled_takes_the_error() -> None:
    with CancelScope() as outer:
        with CancelScope() as middle:
            with CancelScope() as inner:
                inner.cancel()
                middle.cancel()
                check_cancelled()
            raise AssertionError("not reached")
        assert middle.cancelled_caught and not inner.cancelled_caught
        check_cancelled()
    assert not outer.cancel_called


def test_an_outer_cancellation_reaches_inner_blocks() -> None:
    with CancelScope() as outer:
        with CancelScope() as inner:
            outer.cancel()
            check_cancelled()
        raise AssertionError("not reached")
    assert outer.cancelled_caught and not inner.cancelled_caught and not inner.cancel_called


def test_a_scope_that_has_ended_says_nothing_to_the_next() -> None:
    with CancelScope() as scope:
        scope.cancel()
        check_cancelled()
    with CancelScope() as after:
        check_cancelled()
    assert not after.cancelled_caught


def test_move_on_after_goes_on() -> None:
    with TaskEnvironment() as env, move_on_after(1.5) as scope:
        env.advance(1.4)
        check_cancelled()
        assert not scope.cancel_called
        env.advance(0.1)
        assert scope.cancel_called
        check_cancelled()
    assert scope.cancelled_caught


def test_fail_after_raises() -> None:
    with TaskEnvironment() as env:
        with pytest.raises(DeadlineExceededError) as raised, fail_after(1):
            env.advance(1)
            check_cancelled()
        assert isinstance(raised.value, TimeoutError)
        with fail_after(1):
            env.advance(2)  # the block has ended, however late: nothing was cut short


def test_fail_after_does_not_take_what_it_has_not_caused() -> None:
    with TaskEnvironment(), CancelScope() as outer, fail_after(1):
        outer.cancel()
        check_cancelled()
    assert outer.cancelled_caught
    with fail_after(TIMEOUT) as scope:
        scope.cancel()
        check_cancelled()
    assert scope.cancelled_caught


def test_the_nearest_deadline_counts() -> None:
    with TaskEnvironment() as env:
        with move_on_after(5) as outer:
            with move_on_after(9) as inner:
                env.advance(5)
                check_cancelled()
            raise AssertionError("not reached")
        assert outer.cancelled_caught and not inner.cancel_called
        with move_on_after(9) as outer:
            with move_on_after(5) as inner:
                env.advance(5)
                check_cancelled()
            check_cancelled()
        assert inner.cancelled_caught and not outer.cancel_called


def test_the_time_counts_from_the_entering() -> None:
    with TaskEnvironment() as env:
        scope = move_on_after(1)
        assert scope.deadline is None
        env.advance(5)
        with scope:
            check_cancelled()
        assert scope.deadline == 6.0


def test_deadlines_are_of_the_monotonic_clock() -> None:
    before = time.monotonic()
    with move_on_after(60) as scope:
        assert scope.deadline is not None
        assert before + 60 <= scope.deadline <= time.monotonic() + 60
    with CancelScope(deadline=before) as past:
        check_cancelled()
    assert past.cancelled_caught


@pytest.mark.parametrize("seconds", [0, -1.0, float("-inf")])
def test_a_deadline_that_has_passed_cancels_at_once(seconds: float) -> None:
    with move_on_after(seconds) as scope:
        check_cancelled()
    assert scope.cancelled_caught


@pytest.mark.parametrize("seconds", [None, float("inf")])
def test_there_may_be_no_deadline(seconds: float | None) -> None:
    with move_on_after(seconds) as scope, fail_after(seconds):
        check_cancelled()
    assert scope.deadline is None


def test_a_time_is_a_number() -> None:
    for make in (move_on_after, fail_after):
        with pytest.raises(InvalidArgumentError):
            make(float("nan"))
    with pytest.raises(InvalidArgumentError):
        CancelScope(deadline=float("nan"))


def test_results_are_waited_for_until_the_scope_is_cancelled(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        future = group.submit(cooperate)
        with CancelScope() as scope:
            threading.Thread(target=scope.cancel).start()
            future.result(TIMEOUT)
        assert scope.cancelled_caught and not future.cancelled()
        with move_on_after(0.001) as scope:
            future.exception()
        assert scope.cancelled_caught
        group.cancel()


def test_what_is_there_is_returned_all_the_same(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        future = group.submit(pow, 2, 3)
        assert future.result(TIMEOUT) == 8
        with CancelScope() as scope:
            scope.cancel()
            assert future.result() == 8
            assert future.exception() is None


def test_groups_in_the_block_are_cancelled(pool: ThreadPool) -> None:
    with CancelScope() as scope:
        with pool.task_group() as outer, pool.task_group() as inner:
            futures = [outer.submit(cooperate), inner.submit(cooperate)]
            scope.cancel()
            assert outer.cancelled and inner.cancelled
        raise AssertionError("not reached")
    assert all(future.cancelled() for future in futures)
    assert scope.cancelled_caught


def test_a_group_around_the_scope_is_not(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        with CancelScope() as scope:
            scope.cancel()
            with pytest.raises(CancelledError):
                group.submit(cooperate)
        assert not group.cancelled
        assert group.submit(pow, 2, 3).result(TIMEOUT) == 8


def test_a_scope_is_of_its_thread() -> None:
    seen = list[bool]()

    def look() -> None:
        check_cancelled()
        seen.append(True)

    with CancelScope() as scope:
        scope.cancel()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(TIMEOUT)
    assert seen == [True]


def test_posted_tasks_are_in_the_scope_as_long_as_it_lasts(pool: ThreadPool) -> None:
    gate = threading.Event()

    def look_later() -> None:
        gate.wait(TIMEOUT)
        check_cancelled()

    with CancelScope() as scope:
        scope.cancel()
        with pytest.raises(CancelledError):
            pool.submit(check_cancelled).result(TIMEOUT)
        after = pool.submit(look_later)
    gate.set()
    assert after.result(TIMEOUT) is None


class Listener(Actor):
    def look(self) -> str:
        check_cancelled()
        with CancelScope() as scope:
            scope.cancel()
            check_cancelled()
        assert scope.cancelled_caught
        return "not cancelled"

    async def look_async(self) -> str:
        return self.look()


def test_messages_to_actors_are_no_part_of_the_block() -> None:
    with ActorSystem(2) as system:
        listener = system.spawn(Listener)
        with CancelScope() as scope:
            scope.cancel()
            assert listener.look().result(TIMEOUT) == "not cancelled"
            assert listener.look_async().result(TIMEOUT) == "not cancelled"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_scopes_in_coroutines_end_their_waits(backend: str) -> None:
    async def main() -> None:
        with move_on_after(0.001) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        with pytest.raises(DeadlineExceededError), fail_after(0.001):
            await anyio.sleep_forever()
        with CancelScope() as scope:
            thread = threading.Thread(target=scope.cancel)
            thread.start()
            await anyio.sleep_forever()
        thread.join(TIMEOUT)
        assert scope.cancelled_caught
        with CancelScope(deadline=0.0) as outer, CancelScope() as scope:
            await anyio.sleep_forever()
        assert outer.cancelled_caught and not scope.cancelled_caught
        with CancelScope() as scope:
            scope.cancel()
            check_cancelled()
        assert scope.cancelled_caught
        with CancelScope() as scope:
            scope.cancel()  # and nothing more
        await anyio.sleep(0)

    anyio.run(main, backend=backend)
