# Message: the Python face of the engine's message while it belongs to Python.
#
# An unserialized message's object is held by `_lazy`, where the garbage collector sees it; only
# while the message is in a pipe does the engine hold the reference.

cdef enum MessageKind:
    MESSAGE_SERIALIZED
    MESSAGE_LAZY
    MESSAGE_EMPTY  # its object was taken out


cdef int64_t small_messages = 0  # that are open and unknown to the engine; owned by the GIL


cdef inline void small_messages_changed(int by) noexcept:
    global small_messages
    small_messages += by


@cython.freelist(256)
cdef class Message:
    """A message: bytes, or an object that is serialized only if it must be, and handles.

    `Message(payload, handles)` makes a serialized message with a copy of `payload`, and takes the
    handles. A message belongs to one thread at a time and is used up by writing it (Mojo C System
    API, "Creating Messages").

    Args:
        payload: a C-contiguous buffer; its bytes are copied.
        handles: handles to attach. They end where they are and travel with the message.

    Raises:
        InvalidArgumentError: a handle is closed, sent, or a Watcher.
        BusyError: a handle is listed twice or in two-phase I/O.
        ResourceExhaustedError: above 256 MiB or 1 Mi handles, or out of memory.
    """

    # One of the two; both are NULL and None once it is written or closed. A small message that came
    # through a ring is only bytes until somebody wants more of it.
    cdef c_Message* _message   # owned
    cdef bytes _bytes
    cdef uint32_t _sender      # with _bytes
    cdef MessageKind _kind
    cdef bint _received        # it was read from a pipe
    cdef bint _writable        # its payload may be changed in place
    cdef bint _had_handles     # ... which were all taken
    cdef bint _in_place        # `_handles` are live handles that the message owns
    cdef bint _serializing
    cdef _LazyObject _lazy
    cdef tuple _handles        # None: those in `_message` have no objects yet
    cdef _PayloadView _view    # None until the payload is looked at

    def __init__(self, payload=b"", handles=()):
        cdef c_Message* message
        if self._is_open():
            raise TypeError("a message is made once")
        listed = to_handles(handles)
        message = new_message(payload)
        if self._message is not NULL:  # made by the iterable or the buffer just now
            DestroyMessage(message)
            raise TypeError("a message is made once")
        self._build(message, listed)

    @staticmethod
    def allocate(nbytes, handles=(), *, zeroed=True, receiver=None):
        """A serialized message of `nbytes` bytes, to be filled in place. Raises as Message().

        A large one is in shared memory from the start, so that nothing is copied when it leaves the
        process. Without `zeroed` the bytes may be those of an earlier message of this process.
        With `receiver`, the pipe end that it will be written to, it can surely go there as it is.
        """
        cdef size_t size = to_allocation(nbytes, "nbytes")
        listed = to_handles(handles)
        cdef c_Message* made = allocate_large(size, zeroed, receiver)
        cdef Message message = Message.__new__(Message)
        message._writable = True
        message._build(made, listed)
        return message

    @staticmethod
    def from_object(obj, serializer=None):
        """A lazily serialized message: within a process the reader gets this very object.

        Args:
            obj: any object.
            serializer: `serializer(obj)` returns the payload, or (payload, handles). It is called
                by `serialize()`, or when the message leaves the process; never otherwise.
        """
        if serializer is not None and not callable(serializer):
            raise TypeError(f"serializer must be callable, not {type(serializer).__name__}")
        cdef Message message = Message.__new__(Message)
        cdef _LazyObject lazy = _LazyObject.__new__(_LazyObject)
        lazy.obj = obj
        lazy.serializer = serializer
        message._message = new c_Message()
        message._message.context = <void*>lazy
        message._kind = MESSAGE_LAZY
        message._lazy = lazy
        return message

    def __dealloc__(self):
        if self._bytes is not None:
            small_messages_changed(-1)
        elif self._message is not NULL:
            self._destroy()
            self._drop_lazy()
            after_call_in_dealloc()

    cdef int _drop_lazy(self) noexcept:
        """Gives up the object, but not on this stack: it may hold a message that holds an object,
        and so on."""
        if self._lazy is not None:
            Py_INCREF(self._lazy)
            ReleaseLater(<void*>self._lazy)
            self._lazy = None
        return 0

    cdef int _build(self, c_Message* message, list handles) except -1:
        """Takes over a new engine message, attaching the handles; destroys it on failure."""
        try:
            self._attach(message, handles)
        except BaseException:
            DestroyMessage(message)
            raise
        self._message = message
        self._kind = MESSAGE_SERIALIZED
        self._handles = tuple(handles) if handles else None
        after_call()
        return 0

    cdef int _attach(self, c_Message* message, list handles) except -1:
        cdef Attachment attachment
        cdef size_t blamed = 0
        cdef c_Result result
        if not handles:
            return 0
        add_handles(&attachment, handles)
        result = attachment.Begin(&blamed)
        if result != c_Result.kOk:
            fail_attach(result, handles, blamed)
        attachment.MoveInto(message)
        attachment.Commit()
        return 0

    cdef int _destroy(self) noexcept:
        cdef c_Message* message = self._message
        self._message = NULL
        if self._in_place and self._handles is not None:
            for handle in self._handles:
                (<Handle>handle)._dispatcher.Close((<Handle>handle)._value)
        message.context = NULL  # `_lazy` holds the reference
        DestroyMessage(message)
        return 0

    cdef inline bint _is_open(self):
        return self._message is not NULL or self._bytes is not None

    cdef int _drop_bytes(self) noexcept:
        if self._bytes is not None:
            self._bytes = None
            small_messages_changed(-1)
        return 0

    cdef c_Message* _engine_message(self) except NULL:
        """The engine's message, made if there is none yet. The message is open."""
        cdef c_Message* message
        if self._message is NULL:
            message = new_message(self._bytes)
            message.sender = self._sender
            self._message = message
            self._drop_bytes()
        return self._message

    cdef int _let_go(self) except -1:
        """The engine message now belongs to somebody else."""
        self._message = NULL
        self._lazy = None
        self._handles = None
        if self._view is not None:
            self._view._read_only = True
            self._view = None
        return 0

    cdef inline size_t _nbytes(self):
        """Of a serialized message."""
        return self._message.size if self._bytes is None else <size_t>PyBytes_GET_SIZE(self._bytes)

    cdef int _check(self) except -1:
        if not self._is_open():
            raise InvalidArgumentError("the message was written or closed")
        if self._serializing:
            raise BusyError("the message is being serialized")
        return 0

    cdef int _check_serialized(self) except -1:
        self._check()
        if self._kind != MESSAGE_SERIALIZED:
            raise FailedPreconditionError("the message is not serialized")
        return 0

    cdef int _check_unexported(self) except -1:
        if self._view is not None and not self._view._read_only and self._view._exports > 0:
            raise BufferError("writable views of the payload are alive")
        return 0

    @property
    def is_serialized(self):
        """True if the message has a payload, False if it has an object (or lost it)."""
        self._check()
        return self._kind == MESSAGE_SERIALIZED

    @property
    def payload(self):
        """The bytes, as a memoryview of shape (n,) and format 'B'; it keeps them alive.

        Writable only between `allocate` or `extend` and writing the message.

        Raises:
            FailedPreconditionError: the message is not serialized.
        """
        cdef _PayloadView view
        self._check_serialized()
        if self._bytes is not None:
            return PyMemoryView_FromObject(self._bytes)
        if self._view is None:
            view = _PayloadView.__new__(_PayloadView)
            view._payload = self._message.payload.get()
            if view._payload is not NULL:
                view._payload.AddRef()
            view._nbytes = self._message.size
            view._read_only = not self._writable
            self._view = view
        return PyMemoryView_FromObject(self._view)

    def take_payload(self):
        """Moves the bytes of a received message to the caller, as a memoryview that can be written
        to. They are copied only if somebody else may see them. The message is closed."""
        self._check_serialized()
        return take_payload(self)

    @property
    def handles(self):
        """The attached handles, owned by the message; () once they were taken.

        Those of a received message can be used in place, until it is closed or written. In a
        message being built they cannot be used.
        """
        self._check()
        if self._handles is None:
            if self._message is NULL or self._message.dispatchers.empty():
                return ()
            self._handles = tuple(adopt_dispatchers(&self._message.dispatchers, True))
            self._in_place = True
        return self._handles

    def take_handles(self):
        """Moves the handles to the caller, as a list.

        Raises:
            NotFoundError: they were taken before.
            FailedPreconditionError: the message is not serialized.
        """
        cdef list taken
        self._check_serialized()
        if self._had_handles:
            raise NotFoundError("the handles were taken already")
        if self._in_place:
            taken = list(self._handles)
            for handle in taken:
                (<Handle>handle)._owned_by_message = False
        elif self._message is NULL:
            taken = []
        else:
            taken = adopt_dispatchers(&self._message.dispatchers, False)
        self._had_handles = len(taken) > 0
        self._in_place = False
        self._handles = ()
        return taken

    @property
    def context(self):
        """The object of an unserialized message.

        Raises:
            NotFoundError: the message is serialized, or its object was taken.
        """
        self._check()
        if self._kind != MESSAGE_LAZY:
            raise NotFoundError("the message has no object")
        return self._lazy.obj

    def take_context(self):
        """Moves the object to the caller; the message is then empty and cannot be written.

        Raises:
            NotFoundError: the message is serialized, or its object was taken.
        """
        obj = self.context
        self._message.context = NULL
        self._lazy = None
        self._kind = MESSAGE_EMPTY
        return obj

    def extend(self, nbytes, handles=()):
        """Grows the payload to `nbytes` in all, with zero bytes, and attaches more handles.

        The bytes stay and are writable from now on. The present size is allowed.

        Args:
            nbytes: the new size of the whole, not an increment (as MojoExtendSerializedMessagePayload).
            handles: handles to attach, all or none.

        Raises:
            FailedPreconditionError: the message was received, or is not serialized.
            OutOfRangeError: smaller than the payload is.
            BufferError: writable views of the payload are alive.
        """
        extend_message(self, to_allocation(nbytes, "nbytes"), to_handles(handles))

    def serialize(self):
        """Serializes the message now: calls the serializer and drops the object.

        Raises:
            FailedPreconditionError: it is serialized.
            NotFoundError: there is no serializer, or no object; the object stays.
            Exception: whatever the serializer raises; the object stays.
        """
        serialize_message(self)

    def close(self):
        """Destroys the message and closes the handles still in it. Harmless when repeated."""
        if self._serializing:
            raise BusyError("the message is being serialized")
        if self._bytes is not None:
            self._drop_bytes()
        elif self._message is not NULL:
            self._destroy()
            self._drop_lazy()
            self._let_go()
            after_call()

    def notify_bad(self, reason):
        """Says that the message makes no sense: to the `on_error` of the process that wrote it, if
        one was given for that, else to the log."""
        if not isinstance(reason, str):
            raise TypeError(f"reason must be a str, not {type(reason).__name__}")
        self._check()
        report_bad_message(reason, self._sender if self._message is NULL else self._message.sender)

    def __len__(self):
        self._check_serialized()
        return self._nbytes()

    def __bool__(self):
        return True

    def __bytes__(self):
        self._check_serialized()
        if self._bytes is not None:
            return self._bytes
        if self._message.size == 0:
            return b""
        return PyBytes_FromStringAndSize(
            <const char*>self._message.payload.get().data(), self._message.size)

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __reduce_ex__(self, protocol):
        raise TypeError("a Message cannot be copied or pickled; write it to a message pipe")

    def __repr__(self):
        if not self._is_open():
            return "<Message written or closed>"
        if self._kind != MESSAGE_SERIALIZED:
            return "<Message unserialized>"
        return f"<Message {self._nbytes()} bytes>"
