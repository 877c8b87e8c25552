"""A platform handle: a file descriptor that travels in a message."""

import os
import tempfile

from mojo_seq import PlatformHandle, create_message_pipe, wrap_fd


def main() -> None:
    sender, receiver = create_message_pipe()
    with sender, receiver, tempfile.TemporaryFile() as file:
        file.write(b"written by the sender")
        file.flush()
        handle = wrap_fd(os.dup(file.fileno()))  # the handle owns the duplicate
        sender.write(b"read this file", [handle])

        with receiver.read() as message:
            (received,) = message.take_handles()
        assert isinstance(received, PlatformHandle)
        fd = received.unwrap()  # and now we do
        try:
            text = os.pread(fd, 100, 0)
        finally:
            os.close(fd)
        assert text == b"written by the sender"
        print(f"the file says: {text.decode()}")


if __name__ == "__main__":
    main()
