"""A task that crashes costs itself, and nobody else: its worker is replaced, the others go on."""

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

from mojo_seq import DeadlineExceededError, ProcessPool, WorkerDiedError


def parse(number: int) -> int:
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out
    while number == 42:
        """An endless loop, which no exception could end."""
    return number * number


def parse_at_the_second_try(mark: str) -> str:
    if not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return "parsed"


def main() -> None:
    with ProcessPool(2) as pool, TemporaryDirectory() as folder:
        # A timeout counts from when the task begins. Its worker is killed, and replaced.
        impatient = pool.with_options(timeout=0.5)
        futures = {number: impatient.submit(parse, number) for number in range(50)}

        crash = futures.pop(13).exception()
        assert isinstance(crash, WorkerDiedError)
        assert crash.signal == signal.SIGKILL and crash.exitcode == -9
        assert crash.task.endswith("parse(13)")
        assert isinstance(futures.pop(42).exception(), DeadlineExceededError)
        assert all(future.result() == number**2 for number, future in futures.items())

        # Nothing is run twice, unless it is said that it may be.
        patient = pool.with_options(retries=1)
        again = patient.submit(parse_at_the_second_try, f"{folder}/mark").result()
        assert again == "parsed"
    print(f"of 50 tasks {len(futures)} were done: one crashed (pid {crash.pid}), one hung")


if __name__ == "__main__":
    main()
