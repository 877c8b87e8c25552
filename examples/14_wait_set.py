"""A wait set: one thread that serves many handles, and can be told to stop."""

import threading

from mojo_seq import (
    MessagePipeHandle,
    PeerClosedError,
    Signals,
    WaitableEvent,
    WaitSet,
    create_message_pipe,
)


def serve(pipes: list[MessagePipeHandle], stop: WaitableEvent, served: list[bytes]) -> None:
    wait_set = WaitSet()
    wait_set.add_event(stop)
    for pipe in pipes:
        wait_set.add_handle(pipe, Signals.READABLE)
    while True:
        result = wait_set.wait()
        for ready in result.ready:
            assert isinstance(ready.handle, MessagePipeHandle)
            try:
                served.extend(map(bytes, ready.handle.read_batch()))
            except PeerClosedError:
                wait_set.remove_handle(ready.handle)
        if result.event is stop and not result.ready:
            return


def main() -> None:
    pairs = [create_message_pipe() for _ in range(20)]
    stop = WaitableEvent()
    served: list[bytes] = []
    thread = threading.Thread(target=serve, args=([near for near, _ in pairs], stop, served))
    thread.start()
    for number, (_, far) in enumerate(pairs):
        far.write(b"from %d" % number)
        far.close()
    stop.signal()
    thread.join(timeout=30)
    for near, _ in pairs:
        near.close()
    assert sorted(served) == sorted(b"from %d" % number for number in range(20))
    print(f"one thread served {len(served)} pipes")


if __name__ == "__main__":
    main()
