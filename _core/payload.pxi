# What messages are filled with: the bytes and the exporter behind the views of them, and objects.


@cython.final
cdef class _PayloadView:
    """The exporter behind the memoryviews of one payload; keeps the bytes alive."""

    cdef Payload* _payload   # owned reference; constant; NULL for an empty payload
    cdef size_t _nbytes      # constant
    cdef bint _read_only
    cdef size_t _exports

    def __dealloc__(self):
        if self._payload is not NULL:
            self._payload.Release()

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        cdef void* data = <void*>self._payload.data() if self._payload is not NULL else <void*>b""
        PyBuffer_FillInfo(buffer, self, data, self._nbytes, self._read_only, flags)
        self._exports += 1

    def __releasebuffer__(self, Py_buffer* buffer):
        self._exports -= 1


cdef object take_payload(Message message):
    """Message.take_payload, of a serialized message."""
    cdef _PayloadView view
    cdef Payload* payload = NULL
    if not message._received:
        raise FailedPreconditionError("only the payload of a received message can be taken")
    if message._message is not NULL:
        payload = message._message.payload.get()
    message._view = None
    if payload is NULL or not payload.HasOneRef():
        taken = memoryview(bytearray(bytes(message)))
    else:
        view = _PayloadView.__new__(_PayloadView)
        payload.AddRef()
        view._payload = payload
        view._nbytes = message._message.size
        view._read_only = False
        taken = PyMemoryView_FromObject(view)
    message.close()
    return taken


# From here on it pays to let other threads run during a copy.
cdef size_t LONG_COPY = 65536


def copy_bytes(target, source):
    """Copies a buffer to where another one of the same size is.

    Raises:
        BufferError: the target is read-only, or one of them is not contiguous.
        ValueError: their sizes differ.
    """
    cdef Py_buffer to
    cdef Py_buffer origin
    PyObject_GetBuffer(target, &to, PyBUF_WRITABLE)
    try:
        PyObject_GetBuffer(source, &origin, PyBUF_SIMPLE)
        try:
            if to.len != origin.len:
                raise ValueError(f"{origin.len} bytes are no {to.len}")
            if <size_t>to.len >= LONG_COPY:
                with nogil:
                    memmove(to.buf, origin.buf, to.len)
            else:
                memmove(to.buf, origin.buf, to.len)
        finally:
            PyBuffer_Release(&origin)
    finally:
        PyBuffer_Release(&to)


cdef c_Message* new_message(object payload, str name="payload",
                            MessagePipeEndpoint* receiver=NULL) except NULL:
    """A serialized message with a copy of the bytes of `payload`, in memory that suits `receiver`."""
    cdef Py_buffer view
    cdef c_Message* message
    if type(payload) is bytes:
        return copy_message(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), receiver)
    get_buffer(payload, &view, PyBUF_SIMPLE, name)
    try:
        message = copy_message(<const char*>view.buf, view.len, receiver)
    finally:
        PyBuffer_Release(&view)
    return message


cdef c_Message* copy_message(const char* data, size_t nbytes,
                             MessagePipeEndpoint* receiver) except NULL:
    cdef uint64_t pipe = 0
    cdef c_Message* message
    cdef char* target
    if nbytes >= kSegmentThreshold and receiver is not NULL:
        pipe = receiver.PipeNumber()
    message = allocate_message(nbytes, False, pipe)
    if nbytes > 0:
        target = <char*>message.payload.get().data()
        if nbytes >= LONG_COPY:
            with nogil:
                memcpy(target, data, nbytes)
        else:
            memcpy(target, data, nbytes)
    return message


cdef c_Message* allocate_message(size_t nbytes, bint zeroed, uint64_t pipe) except NULL:
    """`pipe`: unless it is 0, in memory that can be sent over that pipe as it is, if there is any."""
    cdef c_Message* message
    if nbytes > MaxMessageBytes():
        raise ResourceExhaustedError(
            f"a message carries at most {MaxMessageBytes()} bytes, got {nbytes}")
    message = new c_Message()
    if nbytes > 0:
        if pipe != 0:
            message.payload = AllocateSegment(nbytes, zeroed, pipe)
        if message.payload.get() is NULL:
            message.payload = Payload.Allocate(nbytes, zeroed)
        if message.payload.get() is NULL:
            DestroyMessage(message)
            raise ResourceExhaustedError(f"no memory for a message of {nbytes} bytes")
        message.size = nbytes
    return message


@cython.final
cdef class _LazyObject:
    """An object on its way, and how to serialize it if it must be."""

    cdef object obj
    cdef object serializer


cdef int serialize_contexts(Serialization* serialization, list serialized) except -1:
    """Serializes what leaves the process. `serialized` keeps the outcomes until they are written."""
    cdef Message made
    cdef _LazyObject lazy
    cdef size_t i
    contexts = []
    for i in range(serialization.unserialized.size()):
        contexts.append(<_LazyObject>serialization.unserialized[i])
    for context in contexts:
        lazy = context
        if lazy.serializer is None:
            raise FailedPreconditionError(
                f"a message with {type(lazy.obj).__name__} leaves the process without a serializer")
        outcome = lazy.serializer(lazy.obj)
        made = Message(*outcome) if isinstance(outcome, tuple) else Message(outcome)
        serialized.append((lazy, made))
        serialization.messages[<void*>lazy] = made._message
    return 0


cdef void release_lazy(void* lazy) noexcept nogil:
    ReleaseLater(lazy)
