"""A message pipe: two ends, whole messages, first in first out, never blocking."""

from mojo_seq import PeerClosedError, ShouldWaitError, create_message_pipe


def main() -> None:
    client, server = create_message_pipe()
    with client, server:
        client.write(b"first")
        client.write(b"")  # an empty message is a message
        client.write(bytearray(b"third"))  # anything with a contiguous buffer will do

        received = []
        for _ in range(3):
            with server.read() as message:
                received.append(bytes(message))
        assert received == [b"first", b"", b"third"]

        try:
            server.read()
        except ShouldWaitError:
            pass  # nothing there now, but there may be later
        else:
            raise AssertionError("reading an empty pipe must not invent a message")

        client.write(b"last words")
        client.close()
        assert bytes(server.read()) == b"last words"  # what was sent before closing arrives
        try:
            server.read()
        except PeerClosedError:
            print(f"received {received}, then the last words, then the end")
        else:
            raise AssertionError("the end must be seen")


if __name__ == "__main__":
    main()
