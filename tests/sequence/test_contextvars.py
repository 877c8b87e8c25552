"""contextvars travel with tasks (public contract §8)."""

import contextvars
import threading
from concurrent.futures import Future

from mojo_seq import SequencedTaskRunner, ThreadPool, bind_post_task

TIMEOUT = 30.0
request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


def test_a_posted_task_sees_the_posters_value(runner: SequencedTaskRunner) -> None:
    # Public contract §8.
    seen: Future[str] = Future()
    token = request.set("posted")
    runner.post_task(lambda: seen.set_result(request.get()))
    request.reset(token)
    assert seen.result(TIMEOUT) == "posted"


def test_a_submitted_task_sees_the_posters_value(runner: SequencedTaskRunner) -> None:
    # Public contract §8: the value at the time of posting.
    token = request.set("submitted")
    future = runner.submit(request.get)
    request.set("changed after posting")
    assert future.result(TIMEOUT) == "submitted"
    request.reset(token)


def test_a_delayed_task_sees_the_posters_value(runner: SequencedTaskRunner) -> None:
    # Public contract §8: however much later it runs.
    seen: Future[str] = Future()
    token = request.set("delayed")
    runner.post_delayed_task(0.01, lambda: seen.set_result(request.get()))
    request.reset(token)
    assert seen.result(TIMEOUT) == "delayed"


def test_a_parallel_task_sees_the_posters_value(pool: ThreadPool) -> None:
    # Public contract §8: pool tasks as well.
    token = request.set("parallel")
    future = pool.submit(request.get)
    request.reset(token)
    assert future.result(TIMEOUT) == "parallel"


def test_a_task_without_a_value_sees_the_default(runner: SequencedTaskRunner) -> None:
    # Public contract §8: nothing is left over from the task before on the same thread.
    token = request.set("first")
    runner.submit(request.set, "set inside").result(TIMEOUT)
    request.reset(token)
    assert runner.submit(request.get).result(TIMEOUT) == "none"


def test_what_a_task_sets_stays_with_it(runner: SequencedTaskRunner) -> None:
    # Public contract §8: neither the next task nor the poster sees it.
    runner.submit(request.set, "inside").result(TIMEOUT)
    assert runner.submit(request.get).result(TIMEOUT) == "none"
    assert request.get() == "none"


def test_values_travel_from_task_to_task(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: along the whole chain of posts.
    seen: Future[str] = Future()

    def first() -> None:
        request.set("from the first task")
        other_runner.post_task(lambda: seen.set_result(request.get()))

    runner.post_task(first)
    assert seen.result(TIMEOUT) == "from the first task"


def test_a_reply_sees_the_askers_value(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: task and reply both have the asker's context.
    seen: Future[tuple[str, str]] = Future()

    def task() -> str:
        value = request.get()
        request.set("changed by the task")
        return value

    def ask() -> None:
        request.set("asked")
        other_runner.post_task_and_reply(
            task, lambda result: seen.set_result((result, request.get()))
        )

    runner.post_task(ask)
    task_saw, reply_saw = seen.result(TIMEOUT)
    assert task_saw == "asked"
    assert reply_saw in ("asked", "changed by the task")


def test_a_bound_callable_takes_the_callers_value(runner: SequencedTaskRunner) -> None:
    # Public contract §8: calling is posting.
    seen: Future[str] = Future()
    bound = bind_post_task(runner, lambda: seen.set_result(request.get()))
    token = request.set("calling")
    bound()
    request.reset(token)
    assert seen.result(TIMEOUT) == "calling"


def test_threads_post_with_their_own_values(runner: SequencedTaskRunner) -> None:
    # Public contract §8.
    seen: dict[str, str] = {}

    def post(name: str) -> None:
        request.set(name)
        for _ in range(100):
            runner.submit(lambda: seen.update({name: request.get()})).result(TIMEOUT)

    threads = [threading.Thread(target=post, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {name: name for name in "abcd"}
