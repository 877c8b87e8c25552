"""A pipe handed through three processes; afterwards nobody stands between its two ends."""

import os

from mojo_seq import (
    Message,
    MessagePipeHandle,
    Signals,
    create_message_pipe,
    spawn_process,
    wait,
)


def receive(pipe: MessagePipeHandle) -> Message:
    wait(pipe, Signals.READABLE, timeout=30)
    return pipe.read()


def hand_on(pipe: MessagePipeHandle, to: MessagePipeHandle | None) -> None:
    """Runs in each process: takes the traveller, writes to it, hands it on or keeps it."""
    with receive(pipe) as message:
        (traveller,) = message.take_handles()
    assert isinstance(traveller, MessagePipeHandle)
    traveller.write(b"%d" % os.getpid())
    if to is not None:
        with to:
            to.write(b"yours", [traveller])
    else:
        with traveller, receive(traveller) as question:
            traveller.write(bytes(question).upper())


def main() -> None:
    here, traveller = create_message_pipe()
    with (
        spawn_process(hand_on, None) as third,
        spawn_process(hand_on, third.pipe) as second,  # handles can be arguments; they move
        spawn_process(hand_on, second.pipe) as first,
        here,
    ):
        first.pipe.write(b"yours", [traveller])
        seen = [int(bytes(receive(here))) for _ in range(3)]
        assert seen == [first.pid, second.pid, third.pid]  # in order, whoever wrote

        assert first.wait(timeout=30) == second.wait(timeout=30) == 0
        here.write(b"still there?")  # those who handed it on are gone, and not missed
        answer = bytes(receive(here))
        assert answer == b"STILL THERE?"
    assert third.exitcode == 0
    print(f"{len(seen)} processes wrote to one pipe; the last says: {answer.decode()}")


if __name__ == "__main__":
    main()
