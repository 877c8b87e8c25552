"""Actors with pipes as their inputs and outputs, and with timers."""

from __future__ import annotations

from typing import Any

from mojo_seq import (
    ActorRef,
    DataPipeConsumerHandle,
    Handle,
    MessagePipeHandle,
    PeerClosedError,
    Result,
    Signals,
    SignalsState,
    StopReason,
)
from troupe.basic import Puppet
from troupe.gate import GateKeeper
from troupe.journal import JournalKeeper


class Plumber(Puppet):
    """Answers on a message pipe: each message in capitals."""

    def __init__(
        self, journal: ActorRef[JournalKeeper], pipe: MessagePipeHandle | None = None
    ) -> None:
        super().__init__(journal)
        self.pipes: list[Handle] = []
        self.watches: list[Any] = []
        if pipe is not None:
            self.serve(pipe)

    def serve(self, pipe: MessagePipeHandle) -> None:
        self.pipes.append(pipe)
        self.watches.append(
            self.watch(pipe, Signals.READABLE, lambda *news: self.on_readable(pipe, *news))
        )

    def on_readable(self, pipe: MessagePipeHandle, result: Result, state: SignalsState) -> None:
        if result is Result.FAILED_PRECONDITION:
            self.note(("ended", result.name))
            pipe.close()  # which is told, too: CANCELLED
        if result is not Result.OK:
            return
        try:
            for message in pipe.read_batch():
                with message:
                    pipe.write(bytes(message).upper())
        except PeerClosedError:
            return  # the next notification says so

    def copy(self, consumer: DataPipeConsumerHandle) -> None:
        """Tells the journal of all that comes out of a data pipe."""
        self.pipes.append(consumer)
        self.watches.append(
            self.watch(consumer, Signals.READABLE, lambda *news: self.on_data(consumer, *news))
        )

    def on_data(
        self, consumer: DataPipeConsumerHandle, result: Result, state: SignalsState
    ) -> None:
        if result is Result.OK:
            self.note(consumer.read())
        else:
            self.note("end of data")

    def count_notifications(self, pipe: MessagePipeHandle) -> None:
        """Never reads, so there is always something to say."""
        self.pipes.append(pipe)
        self.watches.append(self.watch(pipe, Signals.READABLE, self.on_news))

    def on_news(self, result: Result, state: SignalsState) -> None:
        self.note(("news", result.name))
        self.watches[-1].cancel()

    def watch_and_fail(self, pipe: MessagePipeHandle) -> None:
        self.pipes.append(pipe)
        self.watch(pipe, Signals.READABLE, self.fail_watching)

    def fail_watching(self, result: Result, state: SignalsState) -> None:
        raise LookupError("watching")

    async def hold_in_turn(self, gate: ActorRef[GateKeeper]) -> None:
        self.note("held")
        await gate.ask(GateKeeper.wait)
        self.note("released")

    def unwatch(self) -> int:
        for watch in self.watches:
            watch.cancel()
            watch.cancel()
        return len(self.watches)

    def watched(self) -> list[bool]:
        return [watch.handle is not None for watch in self.watches]

    def try_watch(self, handle: Any, signals: Any, method: Any) -> str:
        try:
            self.watch(handle, signals, method)
        except Exception as error:
            return type(error).__name__
        return "watched"

    def try_watch_closed(self) -> str:
        from mojo_seq import create_message_pipe

        left, right = create_message_pipe()
        right.close()
        left.close()
        return self.try_watch(left, Signals.READABLE, self.on_news)

    def on_stop(self, reason: StopReason) -> None:
        for pipe in self.pipes:
            pipe.close()
        self.note(reason.kind)


class Clock(Puppet):
    """Sets timers."""

    def __init__(self, journal: ActorRef[JournalKeeper]) -> None:
        super().__init__(journal)
        self.timers: list[Any] = []

    def later(self, delay: float, *entries: Any) -> None:
        for entry in entries:
            self.timers.append(self.call_later(delay, self.note, entry))

    def later_async(self, delay: float, entry: Any) -> None:
        self.timers.append(self.call_later(delay, self.note_async, entry))

    async def note_async(self, entry: Any) -> None:
        await self.journal.ask(JournalKeeper.note, entry)

    def later_fail(self, delay: float) -> None:
        self.call_later(delay, self.fail, "of a timer")

    def cancel(self) -> list[bool]:
        return [timer.cancel() for timer in self.timers]

    def tick(self, delay: float, count: int) -> None:
        self.note(count)
        if count:
            self.call_later(delay, self.tick, delay, count - 1)

    def later_then_hold(self, delay: float, entry: Any, gate: ActorRef[GateKeeper]) -> None:
        self.later(delay, entry)
        self.hold(gate)

    async def later_then_await(self, delay: float, entry: Any, gate: ActorRef[GateKeeper]) -> None:
        self.later(delay, entry)
        await self.hold_async(gate)

    def try_later(self, delay: Any, method: Any = None) -> str:
        try:
            self.call_later(delay, self.note if method is None else method)
        except Exception as error:
            return type(error).__name__
        return "set"

    def own_sequence_later(self) -> None:
        self.call_later(0.0, lambda: self.note(self.task_runner.runs_tasks_in_current_sequence()))
