"""What goes over the pipe between a client process and a node.

Each message is an encoded object with a suffix: the kind, the number of the actor that it is about
at that node, and the number of the ask.
"""

from __future__ import annotations

import struct

from mojo_seq import _core
from mojo_seq.process.object_codec import take_payload

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.process.object_codec import Encoded

    _Sendable = Encoded | _core.PlainMessage
    _Parts = tuple[int, int, int, bytes | memoryview, list[Any]]

SUFFIX = struct.Struct("<Bqq")
SUFFIX_SIZE = SUFFIX.size
pack_suffix = SUFFIX.pack
unpack_suffix = SUFFIX.unpack_from

# From the client.
HELLO = 1  # (client id): the first
ASK = 2  # (method, args, kwargs, path of the asks in whose service it is)
TELL = 3  # the same
STOP = 4
KILL = 5
CANCEL = 6  # the ask is not to be handled if there is still time
INTRODUCE = 7  # (pipe): another client
LOCATE = 8  # where is the actor?
WATCH = 9  # tell when it has ended
EXTEND = 11  # (path): whoever is asked is waited for by more asks than was said
LINKED = 10  # (error): an actor that it is linked to has failed

# From the node.
ANSWER = 32  # the result
FAILURE = 33  # the exception
DOWN = 34  # (reason): the actor has ended
CREDIT = 35  # so many messages have left its mailbox (in the place of the ask)
CANCELLED = 37  # nothing more will be said about the ask
# (HELLO, (node id, pipe)), or (0, why it has ended), or (FAILURE, why that cannot be told now); to
# its home, from where it is: (SPAWN, None)
LOCATED = 36

# From the home of actors to the worker process that they are in.
SPAWN = 64  # (class, args, kwargs, name, mailbox, supervisor)
END = 65  # (reason, whether it is graceful)
RESTART = 66  # (reason): end its object only
BEGIN = 67  # and this is when a new one is made

# And back.
FAILED = 80  # (error, where): it handles nothing until it is restarted or ended
READY = 81  # to begin again
ENDED = 82  # (reason): for good
DEAD_LETTER = 83  # (method, args)


def take_apart(message: _core.Message) -> _Parts | None:
    """(kind, number, ask, payload, handles) of a message; None if it makes no sense."""
    handles = message.take_handles()
    payload = take_payload(message)
    size = len(payload)
    if size < SUFFIX_SIZE:
        return None
    return (*unpack_suffix(payload, size - SUFFIX_SIZE), payload, handles)
