"""A group of tasks with a deadline: none of them is left when the block ends, whatever they do."""

import time

from mojo_seq import ProcessPool, check_cancelled, move_on_after

Found = tuple[int, int]  # a number, and its largest prime factor


def factor(number: int) -> Found:
    """The largest prime factor, by trial: for some numbers that takes for ever."""
    rest, divisor = number, 2
    while divisor * divisor <= rest:
        if rest % divisor:
            divisor += 1
            if divisor % 1024 == 0:
                check_cancelled()  # raises when it is to stop, which it does quietly then
        else:
            rest //= divisor
    return number, rest


def do_not_listen() -> None:
    time.sleep(3600)


def main() -> None:
    easy = {720: 5, 1001: 13, 65_536: 2, 999_983: 999_983}
    hard = 2**89 - 1  # prime
    with ProcessPool(3) as pool:
        list(pool.map(factor, range(2, 20)))  # now the workers have started

        with move_on_after(0.5) as scope, pool.task_group(grace=0.2) as group:
            tasks = [group.submit(factor, number) for number in [*easy, hard]]
            group.submit(do_not_listen)  # is asked to end, and 0.2 s later its worker is killed
        assert scope.cancelled_caught
        found = dict(task.result() for task in tasks if not task.cancelled())
        assert found.items() <= easy.items()  # all of them, if the machine is not too busy

        # One that fails ends the others; all errors come together.
        try:
            with pool.task_group(grace=0.2) as group:
                group.submit(do_not_listen)
                group.submit(factor, "720")  # type: ignore[arg-type]
        except* TypeError as errors:
            assert len(errors.exceptions) == 1
    print(f"{len(found)} of {len(tasks)} numbers were factored in time, and nothing goes on")


if __name__ == "__main__":
    main()
