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


cdef c_Message* new_message(object payload, str name="payload") except NULL:
    """A serialized message with a copy of the bytes of `payload`."""
    cdef Py_buffer view
    cdef c_Message* message
    if type(payload) is bytes:
        return copy_message(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))
    get_buffer(payload, &view, PyBUF_SIMPLE, name)
    try:
        message = copy_message(<const char*>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    return message


cdef c_Message* copy_message(const char* data, size_t nbytes) except NULL:
    cdef c_Message* message = allocate_message(nbytes, False)
    cdef char* target
    if nbytes > 0:
        target = <char*>message.payload.get().data()
        if nbytes > 65536:
            with nogil:
                memcpy(target, data, nbytes)
        else:
            memcpy(target, data, nbytes)
    return message


cdef c_Message* allocate_message(size_t nbytes, bint zeroed) except NULL:
    cdef c_Message* message
    if nbytes > kMaxMessageBytes:
        raise ResourceExhaustedError(
            f"a message carries at most {kMaxMessageBytes} bytes, got {nbytes}")
    message = new c_Message()
    if nbytes > 0:
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


cdef void release_lazy(void* lazy) noexcept nogil:
    ReleaseLater(lazy)
