"""Single-thread task runners of a pool (public contract §8)."""

import gc
import threading

import pytest

from mojo_seq import SequencedTaskRunner, ShutdownError, ThreadPool, _core

TIMEOUT = 30.0


def test_all_tasks_run_on_one_thread(pool: ThreadPool) -> None:
    # Public contract §8: create_single_thread_task_runner.
    runner = pool.create_single_thread_task_runner()
    futures = [runner.submit(threading.get_ident) for _ in range(500)]
    assert len({future.result(TIMEOUT) for future in futures}) == 1


def test_thread_locals_survive_between_tasks(pool: ThreadPool) -> None:
    # Public contract §8: what single-thread runners are for.
    runner = pool.create_single_thread_task_runner()
    local = threading.local()
    runner.post_task(setattr, local, "value", 42)
    assert runner.submit(getattr, local, "value").result(TIMEOUT) == 42


def test_two_of_them_have_two_threads(pool: ThreadPool) -> None:
    # Public contract §8: they may block without holding each other up.
    both = threading.Barrier(2)
    runners = [pool.create_single_thread_task_runner() for _ in range(2)]

    def meet() -> int:
        both.wait(TIMEOUT)
        return threading.get_ident()

    futures = [runner.submit(meet) for runner in runners]
    assert len({future.result(TIMEOUT) for future in futures}) == 2


def test_a_blocked_one_does_not_hold_up_the_pool() -> None:
    # Public contract §8: its thread is its own, not one of the pool's max_workers.
    with ThreadPool(max_workers=1) as pool:
        gate = threading.Event()
        blocked = pool.create_single_thread_task_runner().submit(gate.wait, TIMEOUT)
        assert pool.create_sequenced_task_runner().submit(lambda: 1).result(TIMEOUT) == 1
        gate.set()
        assert blocked.result(TIMEOUT) is True


def test_a_blocked_pool_does_not_hold_up_the_thread() -> None:
    # Public contract §8.
    with ThreadPool(max_workers=1) as pool:
        gate = threading.Event()
        pool.create_sequenced_task_runner().post_task(gate.wait, TIMEOUT)
        assert pool.create_single_thread_task_runner().submit(lambda: 1).result(TIMEOUT) == 1
        gate.set()


def test_its_thread_ends_with_the_pool() -> None:
    # Public contract §8: shutdown joins what the pool started.
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_single_thread_task_runner()
        thread = runner.submit(threading.current_thread).result(TIMEOUT)
    assert thread not in threading.enumerate()


def test_one_without_a_thread_is_not_kept(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = _core.live_objects()["sequence"]
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(RuntimeError):
                pool.create_single_thread_task_runner()
    gc.collect()
    assert _core.live_objects()["sequence"] == before


def test_it_refuses_tasks_after_shutdown() -> None:
    # Public contract §8.
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_single_thread_task_runner()
    with pytest.raises(ShutdownError):
        runner.post_task(print)


def test_current_is_the_single_thread_runner(pool: ThreadPool) -> None:
    # Public contract §8.
    runner = pool.create_single_thread_task_runner()
    assert runner.submit(SequencedTaskRunner.current).result(TIMEOUT) == runner
