# The usual messages about actors between processes: a pickle and a suffix of three numbers, and
# neither handles nor buffers beside it. They need nothing of what mojo_seq.process.object_codec
# does for others, which takes as long as the pickling itself.

cdef extern from *:
    """
    #pragma pack(push, 1)
    struct PlainSuffix {  // as mojo_seq.actor.remote.wire has it; no peer has another byte order
      uint8_t kind;
      int64_t number;
      int64_t ask;
    };
    #pragma pack(pop)
    """
    cdef cppclass PlainSuffix:
        uint8_t kind
        int64_t number
        int64_t ask

cdef object dump_plain = None  # pickle's
cdef int PLAIN_PROTOCOL = 5
cdef Py_ssize_t LARGEST_PLAIN = 65536   # bytes; above that it matters where they are
cdef Py_ssize_t MOST_PLAIN = 64         # elements that are looked at
cdef int DEEPEST_PLAIN = 4


def set_plain_pickling(dumps):
    """Given by the layer above: pickle's function."""
    global dump_plain
    dump_plain = dumps


cdef bint is_plain(object obj, int depth, Py_ssize_t* left) except -1:
    """Whether its pickle needs nobody's help and mentions no class: numbers, text, bytes, and
    small tuples, lists and dicts of them."""
    cdef type kind = type(obj)
    left[0] -= 1
    if left[0] < 0:
        return False
    if obj is None or kind is int or kind is bool or kind is float:
        return True
    if kind is str:
        return len(<str>obj) < LARGEST_PLAIN
    if kind is bytes:
        return PyBytes_GET_SIZE(obj) < LARGEST_PLAIN
    if depth == 0:
        return False
    if kind is tuple:
        for each in <tuple>obj:
            if not is_plain(each, depth - 1, left):
                return False
        return True
    if kind is list:
        for each in <list>obj:
            if not is_plain(each, depth - 1, left):
                return False
        return True
    if kind is dict:
        for key, value in (<dict>obj).items():
            if not is_plain(key, depth - 1, left) or not is_plain(value, depth - 1, left):
                return False
        return True
    return False


@cython.final
@cython.freelist(16)
cdef class PlainMessage:
    """A message that can be written. Offers what an Encoded does; there is nothing to be given back."""

    cdef bytes _payload  # constant

    def __init__(self, *args):
        raise TypeError("a PlainMessage is made by encode_plain()")

    @property
    def handles(self):
        """There are none."""
        return []

    def write_to(self, MessagePipeHandle pipe not None):
        """Raises what `MessagePipeHandle.write` does; then it can be written again."""
        pipe.write(self._payload)

    def freeze(self):
        """It is frozen."""
        return self._payload

    def discard(self):
        """It will not be written."""

    def abandon(self):
        """The same."""


cdef bytes plain_bytes(object obj, uint8_t kind, int64_t number, int64_t ask):
    """The payload, if the object is plain; None if it is for others to encode."""
    cdef Py_ssize_t left = MOST_PLAIN
    cdef PlainSuffix suffix
    cdef bytes pickled
    cdef bytes payload
    cdef Py_ssize_t size
    if dump_plain is None or not is_plain(obj, DEEPEST_PLAIN, &left):
        return None
    pickled = dump_plain(obj, PLAIN_PROTOCOL)
    size = PyBytes_GET_SIZE(pickled)
    if size >= LARGEST_PLAIN:
        return None
    suffix.kind = kind
    suffix.number = number
    suffix.ask = ask
    payload = PyBytes_FromStringAndSize(NULL, size + <Py_ssize_t>sizeof(PlainSuffix))
    memcpy(PyBytes_AS_STRING(payload), PyBytes_AS_STRING(pickled), size)
    memcpy(PyBytes_AS_STRING(payload) + size, &suffix, sizeof(PlainSuffix))
    return payload


def encode_plain(obj, uint8_t kind, int64_t number, int64_t ask):
    """Encodes, if the object is plain.

    Returns:
        PlainMessage | None: None if it is for others to encode.
    """
    cdef PlainMessage message
    cdef bytes payload = plain_bytes(obj, kind, number, ask)
    if payload is None:
        return None
    message = PlainMessage.__new__(PlainMessage)
    message._payload = payload
    return message


cdef bytes plain_payload(Message message, PlainSuffix* suffix):
    """That of a message that came without handles and buffers, with the suffix; None if it is for
    others to take apart."""
    cdef c_Message* received
    cdef const char* data
    cdef size_t size
    message._check()
    if message._kind != MESSAGE_SERIALIZED or message._in_place or message._had_handles:
        return None
    received = message._message
    size = message._nbytes()
    if ((received is not NULL and not received.dispatchers.empty())
            or size <= sizeof(PlainSuffix) or size >= <size_t>LARGEST_PLAIN):
        return None
    if received is NULL:
        data = PyBytes_AS_STRING(message._bytes)
    else:
        data = <const char*>received.payload.get().data()
    if <uint8_t>data[0] != 0x80:  # that of every pickle
        return None
    memcpy(suffix, data + size - sizeof(PlainSuffix), sizeof(PlainSuffix))
    if received is NULL:
        return message._bytes
    return PyBytes_FromStringAndSize(data, size)


def take_plain(Message message not None):
    """Takes a message apart that came without handles and buffers.

    Returns:
        tuple | None: (kind, number, ask, payload with the suffix, []); None if it is for others.
    """
    cdef PlainSuffix suffix
    cdef bytes payload = plain_payload(message, &suffix)
    if payload is None:
        return None
    return suffix.kind, suffix.number, suffix.ask, payload, []
