"""Sequences: tasks that run one after the other, without belonging to a thread, without locks."""

from mojo_seq import SequenceChecker, ThreadPool


class Account:
    """Needs no lock: it is only ever touched on one sequence."""

    def __init__(self) -> None:
        self.balance = 0
        self._checker = SequenceChecker()

    def deposit(self, amount: int) -> int:
        assert self._checker.called_on_valid_sequence()
        self.balance += amount
        return self.balance


def main() -> None:
    with ThreadPool(4, name="bank") as pool:
        runners = [pool.create_sequenced_task_runner() for _ in range(1000)]
        accounts = [Account() for _ in runners]  # a thousand sequences on four threads
        for amount in range(1, 11):
            for runner, account in zip(runners, accounts, strict=True):
                runner.post_task(account.deposit, amount)
        finals = [
            runner.submit(account.deposit, 0)  # a Future of the result, after all the others
            for runner, account in zip(runners, accounts, strict=True)
        ]
        assert [future.result(timeout=30) for future in finals] == [55] * 1000
    print("1000 accounts, 11,000 tasks, 4 threads, no lock")


if __name__ == "__main__":
    main()
