"""A run loop makes the current thread a sequence: work goes out to a pool, replies come home."""

import threading

from mojo_seq import RunLoop, SequencedTaskRunner, ThreadPool


def main() -> None:
    loop = RunLoop()
    main_thread = threading.current_thread()
    log: list[str] = []

    def start(worker: SequencedTaskRunner) -> None:
        worker.post_task_and_reply(work, show)
        loop.task_runner.post_delayed_task(0.001, log.append, "meanwhile")

    def work() -> int:
        assert threading.current_thread() is not main_thread
        return 6 * 7

    def show(answer: int) -> None:
        assert threading.current_thread() is main_thread  # no lock around `log`
        log.append(f"the answer is {answer}")
        loop.task_runner.post_delayed_task(0.002, loop.quit)

    with ThreadPool(1) as pool:
        loop.task_runner.post_task(start, pool.create_sequenced_task_runner())
        loop.run()
    assert sorted(log) == ["meanwhile", "the answer is 42"]
    print(log)


if __name__ == "__main__":
    main()
