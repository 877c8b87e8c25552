"""A watcher: one callback for many handles, called once for each time it is armed."""

from collections.abc import Hashable

from mojo_seq import (
    NotificationFlags,
    Result,
    Signals,
    SignalsState,
    Watcher,
    create_message_pipe,
)


def main() -> None:
    events: list[tuple[Hashable, Result]] = []

    def on_event(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        events.append((context, result))

    a, far_a = create_message_pipe()
    b, far_b = create_message_pipe()
    with far_a, far_b, a, b, Watcher(on_event) as watcher:
        watcher.watch(a, Signals.READABLE, context="a")
        watcher.watch(b, Signals.READABLE, context="b")

        assert watcher.arm() == []  # armed
        far_a.write(b"1")
        far_b.write(b"2")
        assert events == [("a", Result.OK)]  # the first event disarmed it; no storm

        ready = watcher.arm()  # not armed: these are ready already
        assert sorted(str(watch.context) for watch in ready) == ["a", "b"]

        a.close()  # the last word of every watch
        assert events == [("a", Result.OK), ("a", Result.CANCELLED)]
    assert events[-1] == ("b", Result.CANCELLED)
    print(f"{len(events)} events: {[f'{context}: {result.name}' for context, result in events]}")


if __name__ == "__main__":
    main()
