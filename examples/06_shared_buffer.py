"""A shared buffer: memory that several parties see, some of them read-only."""

import numpy as np

from mojo_seq import SharedBufferHandle, create_message_pipe, create_shared_buffer


def main() -> None:
    sender, receiver = create_message_pipe()
    with sender, receiver, create_shared_buffer(1000 * 4) as buffer:
        table = buffer.as_array(np.float32, (10, 100))  # zero-filled
        sender.write(b"have a look", [buffer.duplicate(read_only=True)])

        with receiver.read() as message:
            (handle,) = message.take_handles()
        assert isinstance(handle, SharedBufferHandle)
        with handle:
            view = handle.as_array(np.float32, (10, 100))

        table[3, 14] = 15.0
        assert view[3, 14] == 15.0  # the same memory
        assert not view.flags.writeable
        try:
            view[0, 0] = 1.0
        except ValueError as error:
            print(f"both see {view[3, 14]}; the other side may only look: {error}")
        else:
            raise AssertionError("a read-only view must refuse")
    assert view.sum() == 15.0  # the array keeps the memory; the handles are long closed


if __name__ == "__main__":
    main()
