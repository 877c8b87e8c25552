# Messages of tasks: the usual calls and results are plain, and go as bytes without an object for
# each message in between. Whatever else there is takes the way of others, see object_codec.

cdef extern from *:
    """
    #pragma pack(push, 1)
    struct TaskAnswer {  // as mojo_seq.pool.task_wire has it; no worker has another byte order
      uint32_t micros;
      uint8_t kind;
    };
    #pragma pack(pop)
    """
    cdef cppclass TaskAnswer:
        uint32_t micros
        uint8_t kind

cdef object load_plain = None           # pickle's
cdef bytes NO_ARGUMENTS = None  # the pickle of ((), {}), made once; owned by the GIL
cdef bytes NOTHING = None       # that of None


def set_plain_unpickling(loads):
    """Given by the layer above: pickle's function."""
    global load_plain
    load_plain = loads


def plain_call(tuple args not None, dict kwargs not None, bytes suffix not None):
    """The message of a call, if its arguments are plain: (args, kwargs), pickled, and the suffix.

    Returns:
        bytes | None: None if it is for others to encode.
    """
    global NO_ARGUMENTS
    if args or kwargs:
        return _joined(_pickle((args, kwargs), DEEPEST_PLAIN + 2),
                       PyBytes_AS_STRING(suffix), PyBytes_GET_SIZE(suffix))
    if NO_ARGUMENTS is None:
        NO_ARGUMENTS = _pickle(((), {}), 2)
    return _joined(NO_ARGUMENTS, PyBytes_AS_STRING(suffix), PyBytes_GET_SIZE(suffix))


def plain_answer(result, uint32_t micros, uint8_t kind):
    """The message of an answer, if it is plain.

    Returns:
        bytes | None: None if it is for others to encode.
    """
    cdef TaskAnswer answer
    cdef bytes pickled
    answer.micros = micros
    answer.kind = kind
    pickled = _nothing() if result is None else _pickle(result, DEEPEST_PLAIN)
    return _joined(pickled, <const char*>&answer, sizeof(TaskAnswer))


cdef bytes _nothing():
    global NOTHING
    if NOTHING is None:
        NOTHING = _pickle(None, 0)
    return NOTHING


cdef bytes _pickle(object obj, int depth):
    cdef Py_ssize_t left = MOST_PLAIN
    if dump_plain is None or not is_plain(obj, depth, &left):
        return None
    return dump_plain(obj, PLAIN_PROTOCOL)


cdef bytes _joined(bytes pickled, const char* suffix, Py_ssize_t more):
    """None if there is no pickle, or a large one, of which it matters where it is."""
    cdef Py_ssize_t size
    cdef bytes joined
    if pickled is None or PyBytes_GET_SIZE(pickled) >= LARGEST_PLAIN:
        return None
    size = PyBytes_GET_SIZE(pickled)
    joined = PyBytes_FromStringAndSize(NULL, size + more)
    memcpy(PyBytes_AS_STRING(joined), PyBytes_AS_STRING(pickled), size)
    memcpy(PyBytes_AS_STRING(joined) + size, suffix, more)
    return joined


def read_plain_batch(MessagePipeHandle pipe not None, max_messages=64):
    """`pipe.read_batch`, but what is a pickle without buffers and handles comes as its bytes.

    Returns:
        list[bytes | Message]: empty if there are none now.

    Raises:
        PeerClosedError: there are none and there will be none.
    """
    cdef MessageList messages
    cdef c_Message* message
    cdef c_Result result
    cdef list read = []
    result = pipe._endpoint().ReadBatch(
        pipe._value, to_count(max_messages, "max_messages"), &messages)
    if result == c_Result.kShouldWait:
        return read
    if result != c_Result.kOk:
        pipe._fail_read(result)
    while not messages.empty():
        message = messages.Pop()
        if _is_plain_pickle(message):
            read.append(_take_bytes(message))
        else:
            read.append(wrap_message(message))
    after_call()
    return read


cdef bytes _take_bytes(c_Message* message):
    cdef bytes taken = PyBytes_FromStringAndSize(
        <const char*>message.payload.get().data(), message.size)
    DestroyMessage(message)
    return taken


def decode_plain_answer(bytes message not None):
    """What an answer says that is a pickle and no more.

    Returns:
        tuple: its kind, the microseconds that it took, and what was pickled.

    Raises:
        Whatever the unpickling raises.
    """
    cdef TaskAnswer answer
    cdef bytes nothing = _nothing()
    cdef Py_ssize_t size = PyBytes_GET_SIZE(message) - <Py_ssize_t>sizeof(TaskAnswer)
    if size <= 0:
        raise DataLossError("the message is no answer")
    memcpy(&answer, PyBytes_AS_STRING(message) + size, sizeof(TaskAnswer))
    if (nothing is not None and size == PyBytes_GET_SIZE(nothing)
            and memcmp(PyBytes_AS_STRING(message), PyBytes_AS_STRING(nothing), size) == 0):
        return answer.kind, answer.micros, None
    return answer.kind, answer.micros, load_plain(message)


cdef bint _is_plain_pickle(c_Message* message) noexcept:
    if (message.context is not NULL or message.size == 0
            or message.size >= <size_t>LARGEST_PLAIN or not message.dispatchers.empty()):
        return False
    return message.payload.get().data()[0] == 0x80  # that of every pickle
