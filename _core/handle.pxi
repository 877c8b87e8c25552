# Handle: base of the handle classes. A wrapper never changes the dispatcher and value it was made
# with; whether they still belong together is for the engine to say, under its own lock. So a
# handle that another thread closes or sends at the same moment needs no care here.


cdef class Handle:
    """An end of a pipe, a buffer, a descriptor or a watcher; owned by whoever holds the object.

    Handles may be used from any thread. Sending a handle in a message ends it here; every later
    operation but `close()` raises InvalidArgumentError (Mojo C System API, handles).
    """

    cdef Dispatcher* _dispatcher     # owned reference; constant; NULL if made without the engine
    cdef HandleValue _value          # constant
    cdef bint _owned_by_message      # closed with the message it came in, silently
    cdef object __weakref__

    def __init__(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} cannot be made directly; use the create_ and "
                        "wrap_ functions")

    def __dealloc__(self):
        if self._dispatcher is not NULL:
            # Closed in __del__; never with Python to be run here, where the object is half gone.
            self._dispatcher.Close(self._value)
            self._dispatcher.Release()
            self._dispatcher = NULL

    def __del__(self):
        cdef HandleType kind
        if self._dispatcher is NULL or self._dispatcher.value() != self._value:
            return
        kind = self._dispatcher.type()
        if (not self._owned_by_message and kind != HandleType.kWatcher
                and kind != HandleType.kSharedSegment):
            if PyErr_ResourceWarning(self, 1, b"unclosed %R", <PyObject*>self) < 0:
                PyErr_WriteUnraisable(<PyObject*>self)
        self._dispatcher.Close(self._value)
        after_call()

    cdef bint _is_open(self):
        return self._dispatcher is not NULL and self._dispatcher.value() == self._value

    cdef int _check_open(self) except -1:
        if not self._is_open():
            if self._dispatcher is not NULL and self._dispatcher.WasOpenAtFork(self._value):
                raise FailedPreconditionError(
                    f"{self!r} belongs to the process that fork()ed this one")
            raise InvalidArgumentError(f"{self!r} cannot be used any more")
        return 0

    cdef int _fail(self, c_Result result, str text) except -1:
        """For results in which INVALID_ARGUMENT may also mean that the handle is dead."""
        if result == c_Result.kInvalidArgument:
            self._check_open()
        return fail(result, text)

    @property
    def value(self):
        """The handle's number in this process: opaque, never reused, 0 once closed or sent."""
        return self._value if self._is_open() else 0

    @property
    def is_valid(self):
        """False once the handle was closed or sent."""
        return self._is_open()

    def close(self):
        """Closes the handle; nothing happens if it is closed or sent already.

        Its watches are cancelled, its peer learns of it, unread messages are destroyed with the
        handles in them, all before this returns.

        Raises:
            BufferError: views of an open two-phase window are alive; nothing was changed.
        """
        cdef HandleType kind
        if self._dispatcher is NULL:
            return
        cdef c_Result result = c_Result.kOk
        kind = self._dispatcher.type()
        if kind == HandleType.kPlatformHandle or kind == HandleType.kSharedSegment:
            with nogil:  # closing a descriptor can block, and unmapping takes its time
                result = self._dispatcher.Close(self._value)
        else:
            result = self._dispatcher.Close(self._value)
        after_call()
        if result == c_Result.kFailedPrecondition:
            raise BufferError(f"{self!r} cannot be closed: views of its window are alive")

    def query_signals_state(self):
        """The handle's signals at this moment, as a SignalsState.

        Handles without signals (buffers, platform handles, watchers) have none of either kind.
        """
        cdef c_SignalsState state
        self._check_open()
        if self._dispatcher.QueryState(self._value, &state) != c_Result.kOk:
            self._check_open()
        after_call()  # it may have found news
        return to_state(state)

    def __enter__(self):
        self._check_open()
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __repr__(self):
        state = "open" if self._is_open() else "closed or sent"
        if self._dispatcher is not NULL and self._dispatcher.WasOpenAtFork(self._value):
            state = "of the parent process"
        return f"<{type(self).__name__} {self._value} {state}>"

    def __reduce_ex__(self, protocol):
        if handle_reducer is not None:
            reduced = handle_reducer(self)
            if reduced is not NotImplemented:
                return reduced
        raise TypeError(f"{type(self).__name__} cannot be copied or pickled; attach it to a message")


cdef object wrap_handle(type cls, Dispatcher* dispatcher):
    """A handle object for a dispatcher that has no handle. Takes over the reference."""
    cdef Handle handle
    try:
        handle = cls.__new__(cls)
    except BaseException:
        dispatcher.CloseInTransit()
        dispatcher.Release()
        raise
    handle._dispatcher = dispatcher
    handle._value = dispatcher.Adopt()
    return handle


cdef object adopt_dispatcher(Dispatcher* dispatcher):
    """The same for one that came in a message, whatever its type."""
    cdef HandleType kind = dispatcher.type()
    if kind == HandleType.kMessagePipe:
        return wrap_handle(MessagePipeHandle, dispatcher)
    if kind == HandleType.kDataPipeProducer:
        return wrap_handle(DataPipeProducerHandle, dispatcher)
    if kind == HandleType.kDataPipeConsumer:
        return wrap_handle(DataPipeConsumerHandle, dispatcher)
    if kind == HandleType.kSharedBuffer:
        return wrap_handle(SharedBufferHandle, dispatcher)
    if kind == HandleType.kSharedSegment:
        return wrap_handle(SharedSegmentHandle, dispatcher)
    return wrap_handle(PlatformHandle, dispatcher)


cdef list adopt_dispatchers(vector[Ref[Dispatcher]]* carried, bint owned_by_message):
    """Makes handles of all the dispatchers that a message carries, and takes them out of it."""
    cdef list made = []
    cdef vector[Ref[Dispatcher]] dispatchers
    cdef size_t i = 0
    # Out of the message first: making objects may start the garbage collector, which visits it.
    dispatchers.swap(carried[0])
    try:
        while i < dispatchers.size():
            i += 1
            handle = adopt_dispatcher(dispatchers[i - 1].Detach())
            (<Handle>handle)._owned_by_message = owned_by_message
            made.append(handle)
    finally:
        while i < dispatchers.size():  # only if there was no memory
            dispatchers[i].get().CloseInTransit()
            i += 1
    return made


cdef list to_handles(object handles):
    """A list of the handles that a caller wants to attach, checked for their Python type."""
    cdef list checked
    if isinstance(handles, Handle):
        raise TypeError("handles must be an iterable of handles, not a handle")
    try:
        checked = list(handles)
    except TypeError:
        raise TypeError(
            f"handles must be an iterable of handles, not {type(handles).__name__}") from None
    for index, handle in enumerate(checked):
        if not isinstance(handle, Handle):
            raise TypeError(f"handles[{index}] must be a Handle, not {type(handle).__name__}")
        if (<Handle>handle)._dispatcher is NULL:
            raise InvalidArgumentError(f"handles[{index}] is not a handle of this system")
    if <size_t>len(checked) > kMaxMessageHandles:
        raise ResourceExhaustedError(
            f"a message carries at most {kMaxMessageHandles} handles, got {len(checked)}")
    return checked


cdef int add_handles(Attachment* attachment, list handles) except -1:
    for handle in handles:
        attachment.Add((<Handle>handle)._dispatcher, (<Handle>handle)._value)
    return 0


cdef int fail_attach(c_Result result, list handles, size_t blamed) except -1:
    """Raises for a handle that could not be attached."""
    handle = handles[blamed]
    where = f"handles[{blamed}] ({handle!r})"
    if result == c_Result.kBusy:
        raise BusyError(f"{where} is listed twice, in two-phase I/O or being sent")
    if (<Handle>handle)._dispatcher.type() == HandleType.kWatcher:
        raise InvalidArgumentError(f"{where}: a watcher cannot travel in a message")
    if not (<Handle>handle)._is_open():
        (<Handle>handle)._check_open()
    raise InvalidArgumentError(f"{where}: a pipe cannot carry its own peer")
