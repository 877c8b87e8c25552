# Message pipes.

MessagePipe = namedtuple("MessagePipe", "handle0 handle1", module="mojo_seq")
MessagePipe.__doc__ = "The two ends of a message pipe; which is which makes no difference."

cdef object async_wait = None  # see set_async_functions; set once, at import
cdef object async_checkpoint = None


def set_async_functions(wait, checkpoint):
    """Tells the core how to `await wait(handle, signals)` and `await checkpoint()`.

    The core knows of no event loop; the layer above that does passes it down.
    """
    global async_wait, async_checkpoint
    async_wait = wait
    async_checkpoint = checkpoint


def create_message_pipe():
    """Makes a message pipe (Mojo C System API, "Creating Message Pipes").

    Returns:
        MessagePipe: (handle0, handle1). What is written to one is read from the other.
    """
    cdef Ref[MessagePipeEndpoint] a
    cdef Ref[MessagePipeEndpoint] b
    CreateMessagePipePair(&a, &b)
    handle0 = wrap_handle(MessagePipeHandle, a.Detach())
    handle1 = wrap_handle(MessagePipeHandle, b.Detach())
    return MessagePipe(handle0, handle1)


cdef object wrap_message(c_Message* received):
    """The Python face of a message that was read. Takes it over."""
    cdef Message message = Message.__new__(Message)
    message._message = received
    message._received = True
    if received.context is not NULL:
        message._kind = MESSAGE_LAZY
        message._lazy = <_LazyObject>received.context
        Py_DECREF(message._lazy)  # the engine's reference; ours is counted by now
        received.release = NULL
    return message


cdef Message wrap_bytes(PyObject* received, uint32_t sender):
    """The same for one that was read from a ring. Takes over the reference."""
    cdef Message message = Message.__new__(Message)
    message._bytes = <bytes>received
    Py_DECREF(message._bytes)
    message._sender = sender
    message._received = True
    small_messages_changed(1)
    return message


cdef int MOST_AT_ONCE = 64  # that are read from a ring under one lock


cdef class MessagePipeHandle(Handle):
    """One end of a message pipe: messages in both directions, in order, with their boundaries.

    Writing never blocks and the queues have no bound. Any thread may write and read at any time.
    """

    # Never set. It makes this a type that the garbage collector visits: unread messages may hold
    # objects that refer back to the pipe (garbage_collection.pxi).
    cdef object _visited

    cdef MessagePipeEndpoint* _endpoint(self) except NULL:
        if self._dispatcher is NULL:
            self._check_open()
        return <MessagePipeEndpoint*>self._dispatcher

    def write(self, payload=b"", handles=()):
        """Writes a message.

        Args:
            payload: a C-contiguous buffer; its bytes are copied.
            handles: handles to send; they end here. All are sent or none is.

        Raises:
            PeerClosedError: the other end is closed.
            InvalidArgumentError: this handle or one of `handles` is closed or sent, is a Watcher,
                or is this pipe's other end (also inside what is sent).
            BusyError: one of `handles` is in two-phase I/O, listed twice, or this one.
            ResourceExhaustedError: above 256 MiB or 1 Mi handles, out of memory, or no descriptors
                for handles that leave the process.
        """
        cdef c_Message* message
        cdef c_Result result
        cdef size_t blamed = 0
        cdef MessagePipeEndpoint* endpoint = self._endpoint()
        if type(handles) is tuple and not <tuple>handles:
            if endpoint.MayBeQuick() and self._write_quickly(payload):
                return
            message = new_message(payload, "payload", endpoint)
            if message.size >= LONG_COPY and endpoint.IsRemote():
                with nogil:
                    result = endpoint.Write(self._value, message, NULL, &blamed)
            else:
                result = endpoint.Write(self._value, message, NULL, &blamed)
            if result != c_Result.kOk:
                DestroyMessage(message)
                self._fail_write(result)
            after_call()
            return
        listed = to_handles(handles)
        message = new_message(payload, "payload", endpoint)
        try:
            self._write(message, listed)
        except BaseException:
            DestroyMessage(message)
            raise
        after_call()

    cdef bint _write_quickly(self, object payload) except -1:
        """False: nothing was done."""
        cdef Py_buffer view
        cdef bint written
        cdef MessagePipeEndpoint* endpoint = <MessagePipeEndpoint*>self._dispatcher
        if type(payload) is bytes:
            written = WriteBytes(endpoint, self._value, PyBytes_AS_STRING(payload),
                                 PyBytes_GET_SIZE(payload))
        else:
            get_buffer(payload, &view, PyBUF_SIMPLE, "payload")
            written = WriteBytes(endpoint, self._value, <const char*>view.buf, view.len)
            PyBuffer_Release(&view)
        after_call()
        return written

    cdef int _write(self, c_Message* message, list handles) except -1:
        """Writes, with handles to attach. On failure the message is still the caller's."""
        cdef Attachment attachment
        cdef Serialization serialization
        cdef size_t blamed = 0
        cdef c_Result result
        cdef list serialized = None
        cdef MessagePipeEndpoint* endpoint = self._endpoint()
        add_handles(&attachment, handles)
        while True:
            result = endpoint.Write(self._value, message, &attachment, &blamed, &serialization)
            if result == c_Result.kOk:
                return 0
            if result != c_Result.kUnimplemented:
                break
            if serialized is None:
                serialized = []
            serialize_contexts(&serialization, serialized)
        after_call()
        if blamed < <size_t>len(handles):
            self._check_open()
            fail_attach(result, handles, blamed)
        self._fail_write(result)

    cdef int _fail_write(self, c_Result result) except -1:
        if result == c_Result.kInvalidArgument:
            self._check_open()
            raise InvalidArgumentError("a pipe cannot carry its own peer, also not inside another")
        if result == c_Result.kNotFound:
            raise InvalidArgumentError("a platform handle's descriptor is not open any more")
        if result == c_Result.kPermissionDenied:
            raise InvalidArgumentError("shared memory that is not sealed against shrinking cannot "
                                       "leave the process")
        if result == c_Result.kResourceExhausted:
            fail(result, "no descriptors or memory for what leaves the process")
        fail_peer(result, f"the peer of {self!r} is closed")

    def write_message(self, message, handles=()):
        """Writes a message and uses it up; on failure it stays with the caller, as it was.

        More handles may be sent with it: they end, or stay with the caller as well.

        Raises:
            As `write`, and
            NotFoundError: the message's object was taken out.
            FailedPreconditionError: it leaves the process, or a pipe with unread messages does, and
                one of the messages has no serializer.
            Exception: whatever a serializer raises.
            BufferError: writable views of its payload are alive.
        """
        cdef Message source
        cdef c_Message* sent
        if not isinstance(message, Message):
            raise TypeError(f"message must be a Message, not {type(message).__name__}")
        source = message
        source._check()
        if source._kind == MESSAGE_EMPTY:
            raise NotFoundError("the message's object was taken")
        source._check_unexported()
        sent = source._engine_message()
        listed = list(source._handles) if source._in_place else []
        listed += to_handles(handles)
        if source._lazy is not None:
            # The engine's own reference, before anybody else can see the message.
            Py_INCREF(source._lazy)
            sent.release = release_lazy
        try:
            self._write(sent, listed)
        except BaseException:
            if source._lazy is not None:
                sent.release = NULL
                Py_DECREF(source._lazy)
            raise
        source._let_go()
        after_call()

    def write_batch(self, payloads):
        """Writes one message for each buffer, at one crossing.

        All are written or, if this raises, none.
        """
        cdef MessageList messages
        cdef c_Result result
        cdef MessagePipeEndpoint* endpoint = self._endpoint()
        if isinstance(payloads, (bytes, bytearray, memoryview, str)):
            raise TypeError("payloads must be an iterable of buffers, not one buffer")
        if (endpoint.MayBeQuick() and (type(payloads) is list or type(payloads) is tuple)
                and WriteAllBytes(endpoint, self._value, payloads)):
            after_call()
            return
        for payload in payloads:
            messages.Push(new_message(payload, "each payload", endpoint))
        result = endpoint.WriteBatch(self._value, &messages)
        if result != c_Result.kOk:
            self._fail_write(result)
        after_call()

    def read(self):
        """Reads the next message.

        Raises:
            ShouldWaitError: there is none now.
            PeerClosedError: there is none and there will be none.
            ResourceExhaustedError: there is one with more descriptors than this process can open;
                it stays unread.
        """
        cdef c_Message* message = NULL
        cdef c_Result result
        cdef PyObject* quick
        cdef uint32_t sender = 0
        if self._dispatcher is NULL:
            self._check_open()
        if ((<MessagePipeEndpoint*>self._dispatcher).MayBeQuick()
                and ReadBytes(<MessagePipeEndpoint*>self._dispatcher, self._value, &quick, 1, &sender)):
            return wrap_bytes(quick, sender)
        result = (<MessagePipeEndpoint*>self._dispatcher).Read(self._value, &message)
        if result != c_Result.kOk:
            self._fail_read(result)
        if HasPendingDispatch():
            after_call()
        return wrap_message(message)

    cdef int _fail_read(self, c_Result result) except -1:
        if result == c_Result.kInvalidArgument:
            self._check_open()
        if result == c_Result.kResourceExhausted:
            fail(result, "no room for the descriptors of the next message; it stays unread")
        fail_peer(result, "no message to read" if result == c_Result.kShouldWait
                  else f"the peer of {self!r} is closed and there is nothing left to read")

    def read_batch(self, max_messages=64):
        """Reads up to `max_messages` messages at one crossing.

        Returns:
            list[Message]: empty if there are none now.

        Raises:
            PeerClosedError: there are none and there will be none.
        """
        cdef MessageList messages
        cdef c_Result result
        cdef size_t limit = to_count(max_messages, "max_messages")
        cdef list read = []
        if self._endpoint().MayBeQuick() and self._read_quickly(limit, read):
            return read
        result = self._endpoint().ReadBatch(self._value, limit, &messages)
        if result == c_Result.kShouldWait:
            return read
        if result != c_Result.kOk:
            self._fail_read(result)
        while not messages.empty():
            read.append(wrap_message(messages.Pop()))
        after_call()
        return read

    cdef bint _read_quickly(self, size_t limit, list read) except -1:
        """What is in the ring. False: there is nothing, or none could be taken."""
        cdef PyObject* taken[64]
        cdef uint32_t sender = 0
        cdef int count = MOST_AT_ONCE
        cdef int i
        while limit > 0 and count == MOST_AT_ONCE:
            count = ReadBytes(<MessagePipeEndpoint*>self._dispatcher, self._value, taken,
                              <int>min(limit, <size_t>MOST_AT_ONCE), &sender)
            limit -= count
            for i in range(count):
                read.append(wrap_bytes(taken[i], sender))
        return len(read) > 0

    async def receive(self):
        """Waits for the next message without blocking the event loop (asyncio or trio).

        Raises:
            PeerClosedError: there is none and there will be none.
            CancelledError: the handle was closed or sent meanwhile.
        """
        await async_checkpoint()
        while True:
            try:
                return self.read()
            except ShouldWaitError:
                result, _ = await async_wait(self, Signals.READABLE)
                if result is Result.CANCELLED:
                    raise CancelledError("the handle was closed or sent while waiting") from None

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await self.receive()
        except PeerClosedError:
            raise StopAsyncIteration from None


def fuse_message_pipes(a, b):
    """Joins the other ends of `a` and `b` into one pipe; `a` and `b` end.

    Unread messages of either go on to the far end of the other.

    Raises:
        InvalidArgumentError: not message pipes, dead, the same handle twice, or a pipe would end
            up inside itself.
        FailedPreconditionError: they are one pipe, or one of them has been written to; or an
            unread message without serializer would leave the process.
        In each case both stay with the caller.
    """
    cdef c_Result result
    cdef Serialization serialization
    cdef list serialized = []
    for name, handle in (("a", a), ("b", b)):
        if not isinstance(handle, Handle):
            raise TypeError(f"{name} must be a MessagePipeHandle, not {type(handle).__name__}")
        if not isinstance(handle, MessagePipeHandle):
            (<Handle>handle)._check_open()
            raise InvalidArgumentError(f"{name} must be a message pipe, not {handle!r}")
        (<Handle>handle)._check_open()
    if a is b:
        raise InvalidArgumentError("a pipe's end cannot be fused with itself")
    cdef MessagePipeHandle left = a
    cdef MessagePipeHandle right = b
    while True:
        result = FuseMessagePipes(left._endpoint(), left._value, right._endpoint(), right._value,
                                  &serialization)
        if result != c_Result.kUnimplemented:
            break
        serialize_contexts(&serialization, serialized)
    if result == c_Result.kInvalidArgument:
        left._check_open()
        right._check_open()
    if result == c_Result.kAborted:
        raise InvalidArgumentError("a pipe would end up inside itself, through unread messages")
    if result in (c_Result.kResourceExhausted, c_Result.kPermissionDenied, c_Result.kNotFound):
        left._fail_write(result)
    if result != c_Result.kOk:
        fail(result, "the two are ends of one pipe, or one has been written to")
    after_call()
