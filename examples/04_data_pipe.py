"""A data pipe: a bounded stream of bytes, for data that is too large for messages."""

from mojo_seq import OutOfRangeError, ShouldWaitError, create_data_pipe


def main() -> None:
    producer, consumer = create_data_pipe(capacity=16)
    with producer, consumer:
        assert producer.write(b"0123456789") == 10
        assert producer.write(b"abcdefghij") == 6  # what fits; the rest is up to the caller
        try:
            producer.write(b"ghij")
        except ShouldWaitError:
            pass  # full: wait for WRITABLE, as later examples do
        else:
            raise AssertionError("a full pipe must say so")

        assert consumer.query() == 16
        assert consumer.read(4, peek=True) == b"0123"  # look, leave it there
        assert consumer.discard(10) == 10
        buffer = bytearray(4)
        assert consumer.readinto(buffer) == 4  # no intermediate bytes object
        assert buffer == b"abcd"
        try:
            consumer.read(3, all_or_none=True)
        except OutOfRangeError:
            assert consumer.read() == b"ef"  # it failed, and took nothing
        else:
            raise AssertionError("two bytes are not three")
        print(f"16 bytes of room held {buffer.decode()} and more")


if __name__ == "__main__":
    main()
