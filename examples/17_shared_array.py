"""A numpy array in two processes: the same memory, seen from both, and nothing is ever copied."""

import numpy as np

from mojo_seq import (
    MessagePipeHandle,
    SharedBufferHandle,
    Signals,
    create_shared_buffer,
    spawn_process,
    wait,
)

SHAPE = (1000, 1000)
NBYTES = 1000 * 1000 * 8


def square(pipe: MessagePipeHandle, numbers: SharedBufferHandle, out: SharedBufferHandle) -> None:
    """Runs in the other process, each time a message says that there are new numbers."""
    with numbers, out:
        source = numbers.as_array(np.float64, SHAPE)
        result = out.as_array(np.float64, SHAPE)
    assert not source.flags.writeable and result.flags.writeable
    while wait(pipe, Signals.READABLE)[1].readable:
        pipe.read().close()
        np.square(source, out=result)
        pipe.write(b"done")


def main() -> None:
    with create_shared_buffer(NBYTES) as first, create_shared_buffer(NBYTES) as second:
        numbers = first.as_array(np.float64, SHAPE)
        squares = second.as_array(np.float64, SHAPE)
        # The other side may look at the one, and write the other.
        child = spawn_process(square, first.duplicate(read_only=True), second.duplicate())
    with child:
        for step in (1.0, 2.0, 3.0):
            numbers[:] = step
            child.pipe.write(b"new numbers")  # 11 bytes, whatever the size of the array
            wait(child.pipe, Signals.READABLE, timeout=30)
            child.pipe.read().close()
            assert (squares == step * step).all()
    assert child.exitcode == 0
    print(f"{3 * squares.size:,} numbers were squared by process {child.pid}, where they are")


if __name__ == "__main__":
    main()
