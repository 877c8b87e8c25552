"""Testing an actor: no threads, no waiting, and every order in which things may happen."""

from mojo_seq import Actor, ActorRef, ActorSystem
from mojo_seq.testing import TaskEnvironment, explore


class Store(Actor):
    def __init__(self) -> None:
        self._value = 0

    def get(self) -> int:
        return self._value

    def set(self, value: int) -> None:
        self._value = value


class Client(Actor):
    """Has a bug: between its two messages to the store somebody else's may be handled."""

    def __init__(self, store: ActorRef[Store]) -> None:
        self._store = store

    async def increment(self) -> None:
        value = await self._store.ask(Store.get)
        await self._store.ask(Store.set, value + 1)


class Reminder(Actor):
    def __init__(self, seconds: float) -> None:
        self._due = False
        self.call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._due = True

    def is_due(self) -> bool:
        return self._due


def two_clients(_: TaskEnvironment) -> None:
    with ActorSystem() as system:
        store = system.spawn(Store)
        for reply in [system.spawn(Client, store).increment() for _ in range(2)]:
            reply.result()
        assert store.ask(Store.get).result() == 2


def main() -> None:
    with TaskEnvironment() as env, ActorSystem() as system:
        reminder = system.spawn(Reminder, 3600)
        env.advance(3599)
        assert not reminder.is_due().result()
        env.advance(1)
        assert reminder.is_due().result()  # an hour later, at once
    try:
        explore(two_clients, seeds=range(100))
    except AssertionError as error:
        print(error.__notes__[0])
    else:
        raise AssertionError("a lost update was not found")


if __name__ == "__main__":
    main()
