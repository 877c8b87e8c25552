"""Actors: each owns its data and handles one message at a time, so nothing here needs a lock."""

from concurrent.futures import ThreadPoolExecutor, wait

from mojo_seq import Actor, ActorRef, ActorSystem


class Account(Actor):
    def __init__(self, balance: int) -> None:  # runs on the actor's own sequence, as all of this
        self._balance = balance

    def deposit(self, amount: int) -> None:
        self._balance += amount

    def withdraw(self, amount: int) -> int:
        if amount > self._balance:
            raise ValueError(f"{self._balance} is less than {amount}")  # whoever asked gets this
        self._balance -= amount
        return self._balance

    def balance(self) -> int:
        return self._balance


class Bank(Actor):
    """Owns the accounts: they are its children, and end with it."""

    def __init__(self) -> None:
        self._accounts: dict[str, ActorRef[Account]] = {}

    def open(self, name: str, balance: int) -> ActorRef[Account]:
        self._accounts[name] = self.spawn(Account, balance)
        return self._accounts[name]

    async def transfer(self, source: str, target: str, amount: int) -> None:
        # While it awaits, the bank's thread does something else; its next message waits.
        await self._accounts[source].withdraw(amount)
        await self._accounts[target].deposit(amount)


def main() -> None:
    with ActorSystem() as system, ThreadPoolExecutor(8) as clients:
        bank = system.spawn(Bank)
        names = ["Ann", "Bob", "Cleo"]
        accounts = [bank.open(name, 1000).result() for name in names]

        def client(number: int) -> None:
            source, target = names[number % 3], names[(number + 1) % 3]
            bank.transfer(source, target, number).result()  # asks, and waits for the answer

        done, _ = wait([clients.submit(client, number) for number in range(100)])
        assert all(each.exception() is None for each in done)

        error = bank.transfer("Ann", "Bob", 1_000_000).exception()
        assert isinstance(error, ValueError)  # from the account by way of the bank to here
        balances = [account.ask(Account.balance).result() for account in accounts]
        assert sum(balances) == 3000
        print(f"after 100 transfers: {dict(zip(names, balances, strict=True))}; and {error!r}")


if __name__ == "__main__":
    main()
