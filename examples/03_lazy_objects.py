"""A message can carry an object; it becomes bytes only if it has to leave the process."""

import json
from dataclasses import asdict, dataclass

from mojo_seq import Message, create_message_pipe


@dataclass
class Order:
    item: str
    count: int


def to_bytes(order: Order) -> bytes:
    serialized.append(order)
    return json.dumps(asdict(order)).encode()


serialized: list[Order] = []


def main() -> None:
    order = Order("apples", 3)
    sender, receiver = create_message_pipe()
    with sender, receiver:
        sender.write_message(Message.from_object(order, to_bytes))
        with receiver.read() as message:
            assert not message.is_serialized
            assert message.take_context() is order  # the very same object
        assert serialized == []  # the serializer was not needed

        sender.write_message(Message.from_object(order, to_bytes))
        with receiver.read() as message:
            message.serialize()  # ask for bytes, as crossing a process boundary does
            assert json.loads(bytes(message)) == {"item": "apples", "count": 3}
        assert serialized == [order]
        print("same object in the same process, bytes on demand")


if __name__ == "__main__":
    main()
