"""Scopes that hear nothing of the cancellation of what is around them, as trio has them."""

from __future__ import annotations

import anyio
import pytest

from mojo_seq import (
    CancelScope,
    DeadlineExceededError,
    ThreadPool,
    check_cancelled,
    fail_after,
    move_on_after,
)
from mojo_seq.testing import TaskEnvironment

TIMEOUT = 30.0


def test_a_shield_keeps_the_outer_cancellation_out(pool: ThreadPool) -> None:
    with CancelScope() as outer:
        outer.cancel()
        with CancelScope(shield=True) as shield:
            check_cancelled()
            with pool.task_group() as group:
                future = group.submit(pow, 2, 3)
            assert future.result() == 8
        assert not shield.cancelled_caught
        check_cancelled()
    assert outer.cancelled_caught


def test_a_shield_may_be_cancelled_itself() -> None:
    with TaskEnvironment() as env, CancelScope(deadline=1) as outer:
        with move_on_after(5, shield=True) as shield:
            env.advance(4)
            check_cancelled()
            assert shield._node.deadline == 5
            env.advance(1)
            check_cancelled()
        assert shield.cancelled_caught
        with pytest.raises(DeadlineExceededError), fail_after(0, shield=True):
            check_cancelled()
        check_cancelled()
    assert outer.cancelled_caught


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_shields_in_coroutines(pool: ThreadPool, backend: str) -> None:
    cleaned = list[str]()

    async def main() -> None:
        with CancelScope() as outer:
            try:
                outer.cancel()
                await anyio.sleep_forever()
            finally:
                with move_on_after(TIMEOUT, shield=True):
                    await anyio.sleep(0.001)
                    async with pool.task_group() as group:
                        assert await group.submit(pow, 2, 3) == 8
                    cleaned.append("shielded")
                await anyio.sleep_forever()
        assert outer.cancelled_caught
        with CancelScope() as outer, move_on_after(0.001, shield=True) as shield:
            outer.cancel()
            await anyio.sleep_forever()
        assert shield.cancelled_caught and not outer.cancelled_caught
        await anyio.sleep(0)

    anyio.run(main, backend=backend)
    assert cleaned == ["shielded"]
