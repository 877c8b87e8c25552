"""AsyncioTaskRunner: a sequence on an event loop (public contract §8)."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import AsyncioTaskRunner, SequencedTaskRunner, ShutdownError

TIMEOUT = 30.0


def test_without_a_loop_it_takes_the_running_one() -> None:
    # Public contract §8: loop=None.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        future = runner.submit(asyncio.get_running_loop)
        assert await asyncio.wrap_future(future) is asyncio.get_running_loop()

    asyncio.run(main())


def test_without_a_running_loop_it_needs_one() -> None:
    # Public contract §8: as asyncio.get_running_loop.
    with pytest.raises(RuntimeError):
        AsyncioTaskRunner()


def test_tasks_run_on_the_loops_thread() -> None:
    # Public contract §8.
    async def main() -> None:
        runner = AsyncioTaskRunner()

        def post() -> None:
            runner.post_task(seen.append, threading.get_ident())
            runner.post_task(lambda: seen.append(threading.get_ident()))
            runner.post_task(done.set)

        seen: list[int] = []
        done = asyncio.Event()
        with ThreadPoolExecutor(1) as executor:
            executor.submit(post).result(TIMEOUT)
        await asyncio.wait_for(done.wait(), TIMEOUT)
        assert seen[0] != seen[1] == threading.get_ident()

    asyncio.run(main())


def test_posting_never_runs_the_task_at_once() -> None:
    # Public contract §8: also when posted from the loop itself.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        ran: list[int] = []
        runner.post_task(ran.append, 1)
        assert ran == []
        await asyncio.wrap_future(runner.submit(lambda: None))
        assert ran == [1]

    asyncio.run(main())


def test_coroutines_of_the_loop_are_not_tasks_of_the_sequence() -> None:
    # Public contract §8: current() is of the running task; a coroutine is none.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        await asyncio.wrap_future(runner.submit(lambda: None))
        with pytest.raises(RuntimeError):
            SequencedTaskRunner.current()

    asyncio.run(main())


def test_a_task_may_create_asyncio_tasks() -> None:
    # Public contract §8: tasks run inside the loop, with a running loop to be had.
    async def main() -> None:
        runner = AsyncioTaskRunner()

        async def answer() -> int:
            await asyncio.sleep(0)
            return 42

        created = await asyncio.wrap_future(
            runner.submit(lambda: asyncio.get_running_loop().create_task(answer()))
        )
        assert await created == 42

    asyncio.run(main())


def test_delayed_tasks_come_from_the_loops_clock() -> None:
    # Public contract §8: post_delayed_task; ordered by deadline, cancellable.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        order: list[str] = []
        done = asyncio.Event()
        runner.post_delayed_task(0.3, done.set)
        runner.post_delayed_task(0.2, order.append, "late")
        cancelled = runner.post_delayed_task(0.1, order.append, "cancelled")
        runner.post_delayed_task(0, order.append, "early")
        assert cancelled.cancel() is True
        assert cancelled.cancel() is False
        await asyncio.wait_for(done.wait(), TIMEOUT)
        assert order == ["early", "late"]

    asyncio.run(main())


def test_delayed_tasks_can_be_posted_and_cancelled_from_other_threads() -> None:
    # Public contract §8: every method may be called on any thread.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        done = asyncio.Event()
        ran: list[int] = []

        def elsewhere() -> None:
            handle = runner.post_delayed_task(3600, ran.append, 1)
            assert handle.cancel() is True
            runner.post_delayed_task(0.01, done.set)

        await asyncio.to_thread(elsewhere)
        await asyncio.wait_for(done.wait(), TIMEOUT)
        assert ran == []

    asyncio.run(main())


def test_post_task_and_reply_between_two_loops() -> None:
    # Public contract §8: the reply comes back on the calling sequence.
    there = asyncio.new_event_loop()
    thread = threading.Thread(target=there.run_forever)
    thread.start()

    async def main() -> None:
        here_runner, there_runner = AsyncioTaskRunner(), AsyncioTaskRunner(there)
        replied: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()

        def reply(ran_on: int) -> None:
            replied.set_result((ran_on, threading.get_ident()))

        here_runner.post_task(there_runner.post_task_and_reply, threading.get_ident, reply)
        ran_on, replied_on = await asyncio.wait_for(replied, TIMEOUT)
        assert (ran_on, replied_on) == (thread.ident, threading.get_ident())

    asyncio.run(main())
    there.call_soon_threadsafe(there.stop)
    thread.join()
    there.close()


def test_a_task_that_raises_leaves_the_loop_running(caplog: pytest.LogCaptureFixture) -> None:
    # Public contract §8: reported with where it was posted from, not by asyncio's handler.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        runner.post_task(lambda: 1 // 0)
        await asyncio.wrap_future(runner.submit(lambda: None))

    asyncio.run(main())
    assert {record.name for record in caplog.records} == {"mojo_seq"}
    assert "posted from" in caplog.text


@pytest.mark.parametrize("how", ["post_task", "submit", "post_delayed_task"])
def test_posting_to_a_closed_loop_raises(how: str) -> None:
    # Public contract §8: as after a shutdown; what can never run is never accepted in silence.
    loop = asyncio.new_event_loop()
    runner = AsyncioTaskRunner(loop)
    loop.close()
    with pytest.raises(RuntimeError):
        if how == "post_task":
            runner.post_task(print)
        elif how == "submit":
            runner.submit(print)
        else:
            runner.post_delayed_task(1, print)


def test_two_runners_on_one_loop_are_two_sequences() -> None:
    # Public contract §8: current() tells whose task it is.
    async def main() -> None:
        first, second = AsyncioTaskRunner(), AsyncioTaskRunner()
        asked = first.submit(second.runs_tasks_in_current_sequence)
        assert await asyncio.wrap_future(asked) is False

    asyncio.run(main())


def test_a_task_that_posts_itself_does_not_starve_the_loop() -> None:
    # Public contract §8: a sequence *on* an event loop; coroutines get their turn.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        stopped = False
        count = 0

        def again() -> None:
            nonlocal count
            count += 1
            if not stopped and count < 100_000:
                runner.post_task(again)

        again()
        for _ in range(10):
            await asyncio.sleep(0)
        stopped = True
        assert count < 100_000

    asyncio.run(main())


def test_close_skips_what_is_queued() -> None:
    # Public contract §8: as a shutdown; futures are cancelled, posting raises.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        ran: list[int] = []
        future = runner.submit(ran.append, 1)
        delayed = runner.post_delayed_task(3600, ran.append, 2)
        runner.close()
        assert future.cancelled() and delayed.cancel() is False
        with pytest.raises(ShutdownError):
            runner.post_task(ran.append, 3)
        await asyncio.sleep(0)
        assert ran == []

    asyncio.run(main())


def test_a_dropped_runner_still_runs_its_tasks() -> None:
    # Public contract §8: what was accepted is run.
    async def main() -> None:
        ran = asyncio.Event()
        AsyncioTaskRunner().post_task(ran.set)
        gc.collect()
        await asyncio.wait_for(ran.wait(), TIMEOUT)

    asyncio.run(main())


def test_futures_end_when_the_loop_was_closed_before_their_tasks_ran() -> None:
    # Public contract §8: a future always ends; what nobody will ever run is skipped.
    loop = asyncio.new_event_loop()
    runner = AsyncioTaskRunner(loop)
    future = runner.submit(lambda: 1)
    loop.close()
    del runner, loop
    gc.collect()
    assert future.cancelled()


@pytest.mark.parametrize("work", [False, True])
def test_runners_come_and_go_while_their_loop_runs(work: bool) -> None:
    # Public contract §8: a runner may die on any thread, at any moment of its loop's.
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    for _ in range(500):
        runner = AsyncioTaskRunner(loop)
        if work:
            runner.post_task(int)
    del runner
    last = AsyncioTaskRunner(loop)
    last.submit(int).result(TIMEOUT)
    del last
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
