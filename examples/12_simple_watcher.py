"""A SimpleWatcher turns what happens to a handle into tasks on a sequence."""

from mojo_seq import (
    MessagePipeHandle,
    Result,
    RunLoop,
    Signals,
    SignalsState,
    SimpleWatcher,
    create_message_pipe,
)


class Printer:
    """Receives all messages, however many arrive at once, until the other end is closed."""

    def __init__(self, pipe: MessagePipeHandle, loop: RunLoop) -> None:
        self.received: list[bytes] = []
        self._pipe = pipe
        self._loop = loop
        self._watcher = SimpleWatcher()  # automatic: it arms itself again after each callback
        self._watcher.watch(pipe, Signals.READABLE, self._on_ready)

    def _on_ready(self, result: Result, state: SignalsState) -> None:
        if result is Result.OK:
            self.received += map(bytes, self._pipe.read_batch())
            return
        assert result is Result.FAILED_PRECONDITION and state.peer_closed
        self._watcher.close()
        self._loop.quit()


def main() -> None:
    loop = RunLoop()
    near, far = create_message_pipe()
    printers: list[Printer] = []
    with near, far:
        loop.task_runner.post_task(lambda: printers.append(Printer(near, loop)))
        for number in range(100):
            loop.task_runner.post_task(far.write, b"%d" % number)
        loop.task_runner.post_task(far.close)
        loop.run()
    assert printers[0].received == [b"%d" % number for number in range(100)]
    print(f"{len(printers[0].received)} messages, then the end")


if __name__ == "__main__":
    main()
