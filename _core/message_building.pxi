# What building a message by and by takes: Message.extend and Message.serialize.


cdef int extend_message(Message message, size_t size, list listed) except -1:
    cdef Ref[Payload] grown
    cdef size_t old_size
    cdef uint8_t* data
    message._check()
    if message._received:
        raise FailedPreconditionError("a received message cannot be extended")
    message._check_serialized()
    old_size = message._message.size
    if size < old_size:
        raise OutOfRangeError(f"the payload has {old_size} bytes already, asked for {size}")
    if size > MaxMessageBytes():
        raise ResourceExhaustedError(
            f"a message carries at most {MaxMessageBytes()} bytes, got {size}")
    message._check_unexported()
    if message._message.dispatchers.size() + <size_t>len(listed) > kMaxMessageHandles:
        raise ResourceExhaustedError(f"a message carries at most {kMaxMessageHandles} handles")
    if size > 0:
        grown = Payload.Allocate(size, True)
        data = grown.get().data() if grown.get() is not NULL else NULL
        if data is NULL:
            raise ResourceExhaustedError(f"no memory for a message of {size} bytes")
    message._attach(message._message, listed)
    if size > 0:
        if old_size > 0:
            memcpy(data, message._message.payload.get().data(), old_size)
        message._message.payload = grown
        message._message.size = size
    if message._view is not None:  # views of the bytes as they were keep those
        message._view._read_only = True
        message._view = None
    message._writable = True
    if listed:
        message._handles = (message._handles or ()) + tuple(listed)
        message._had_handles = False
    after_call()
    return 0


cdef int serialize_message(Message message) except -1:
    cdef c_Message* made
    cdef _LazyObject lazy
    message._check()
    if message._kind == MESSAGE_SERIALIZED:
        raise FailedPreconditionError("the message is serialized already")
    if message._kind == MESSAGE_EMPTY or message._lazy.serializer is None:
        raise NotFoundError("the message has no serializer")
    lazy = message._lazy
    message._serializing = True
    try:
        outcome = lazy.serializer(lazy.obj)
        payload, handles = outcome if isinstance(outcome, tuple) else (outcome, ())
        listed = to_handles(handles)
        made = new_message(payload, "the serializer's payload")
        try:
            message._attach(made, listed)
        except BaseException:
            DestroyMessage(made)
            raise
    finally:
        message._serializing = False
    message._destroy()
    message._drop_lazy()
    message._message = made
    message._kind = MESSAGE_SERIALIZED
    message._handles = tuple(listed) if listed else None
    after_call()
    return 0
