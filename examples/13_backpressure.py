"""A large stream through a small pipe: two state machines, no thread ever waits."""

import threading

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    PeerClosedError,
    ShouldWaitError,
    Signals,
    SimpleWatcher,
    ThreadPool,
    create_data_pipe,
)


class Source:
    def __init__(self, pipe: DataPipeProducerHandle, data: bytes) -> None:
        self._pipe, self._rest = pipe, memoryview(data)
        self._watcher = SimpleWatcher()
        self._watcher.watch(pipe, Signals.WRITABLE, self._on_room)

    def _on_room(self, *_: object) -> None:
        self._rest = self._rest[self._pipe.write(self._rest) :]
        if not self._rest:
            self._watcher.close()
            self._pipe.close()


class Sink:
    def __init__(self, pipe: DataPipeConsumerHandle) -> None:
        self.received, self.done = bytearray(), threading.Event()
        self._pipe = pipe
        self._watcher = SimpleWatcher()
        self._watcher.watch(pipe, Signals.READABLE, self._on_bytes)

    def _on_bytes(self, *_: object) -> None:
        try:
            while True:
                self.received += self._pipe.read()
        except ShouldWaitError:
            return  # called again when there is more
        except PeerClosedError:
            self._watcher.close()
            self._pipe.close()
            self.done.set()


def main() -> None:
    data = bytes(range(256)) * 4096  # 1 MiB
    producer, consumer = create_data_pipe(capacity=4096)
    with ThreadPool(1) as pool:  # a single thread is enough for both
        sink = pool.create_sequenced_task_runner().submit(Sink, consumer).result()
        source = pool.create_sequenced_task_runner().submit(Source, producer, data).result()
        assert sink.done.wait(timeout=30)
    assert sink.received == data and not producer.is_valid
    print(f"{type(source).__name__} to {type(sink).__name__}: {len(data)} bytes through 4096")


if __name__ == "__main__":
    main()
