# WaitableEvent and WaitSet.

ReadyHandle = namedtuple("ReadyHandle", "handle result state", module="mojo_seq")
ReadyHandle.__doc__ = "A handle that a WaitSet found ready, and why."
WaitSetResult = namedtuple("WaitSetResult", "event ready", module="mojo_seq")
WaitSetResult.__doc__ = "What ended a wait: an event or None, and a list of ReadyHandle."


@cython.final
cdef class WaitableEvent:
    """An event that threads wait for, alone or in a WaitSet. Any thread.

    Args:
        manual_reset: it stays signaled until `reset()`. Otherwise one wait takes the signal.
        signaled: the state to begin with.
    """

    cdef c_WaitableEvent* _event  # owned reference; constant
    cdef object __weakref__

    def __cinit__(self, *, manual_reset=True, signaled=False):
        self._event = new c_WaitableEvent(manual_reset, signaled)

    def __dealloc__(self):
        if self._event is not NULL:
            self._event.Release()

    def signal(self):
        """Signals the event."""
        self._event.Signal()
        after_call()

    def reset(self):
        """Makes it unsignaled."""
        self._event.Reset()

    def is_signaled(self):
        """Whether it is signaled; does not take the signal."""
        return self._event.IsSignaled()

    def wait(self, timeout=None):
        """Blocks until it is signaled.

        Args:
            timeout: seconds; None: no limit.

        Returns:
            bool: False if the time was up first.
        """
        cdef Time deadline = to_deadline(timeout)
        cdef c_Result result
        if GetCurrentEnvironment() is not NULL:
            return this_environment()._run_until(_Signaled.of(self), timeout)
        while True:
            with nogil:
                result = self._event.Wait(next_slice(deadline))
            if result == c_Result.kOk:
                return True
            PyErr_CheckSignals()
            if result == c_Result.kDeadlineExceeded and Now() >= deadline:
                return False


@cython.final
cdef class _Signaled(_Condition):

    cdef WaitableEvent _event

    @staticmethod
    cdef _Signaled of(WaitableEvent event):
        cdef _Signaled condition = _Signaled.__new__(_Signaled)
        condition._event = event
        return condition

    cdef bint _holds(self) except -1:
        return self._event._event.TryTake()

    cdef object _describe(self):
        return f"{self._event!r}"


@cython.final
cdef class WaitSet:
    """A lasting set of handles and events to wait on again and again.

    It owns none of them. A handle that is closed is reported once, as CANCELLED, and is then no
    longer in the set. One thread waits at a time; any thread may add and remove.
    """

    cdef c_WaitSet* _set     # owned reference; constant
    cdef dict _handles       # value -> handle, also of cancelled ones not reported yet
    cdef dict _events        # id -> event
    cdef bint _waiting
    cdef object __weakref__

    def __cinit__(self):
        self._set = new c_WaitSet()
        self._handles = {}
        self._events = {}

    def __dealloc__(self):
        if self._set is not NULL:
            self._set.Release()

    def add_handle(self, handle, signals):
        """Adds a handle, to be ready when any of `signals` is satisfied or none can be any more.

        Raises:
            AlreadyExistsError: it is in the set.
            InvalidArgumentError: it is closed, sent or has no signals.
        """
        cdef c_Signals wanted = to_signals(signals)
        cdef Handle watched = to_watchable(handle, None)
        cdef c_Result result = self._set.AddHandle(
            Ref[Dispatcher](watched._dispatcher), watched._value, wanted)
        if result == c_Result.kAlreadyExists:
            raise AlreadyExistsError(f"{handle!r} is in the set")
        if result != c_Result.kOk:
            watched._check_open()
        self._handles[watched._value] = handle
        after_call()

    def remove_handle(self, handle):
        """Removes a handle, and what was to be reported of it.

        Raises:
            NotFoundError: it is not in the set (any more).
        """
        if not isinstance(handle, Handle):
            raise TypeError(f"handle must be a Handle, not {type(handle).__name__}")
        cdef HandleValue value = (<Handle>handle)._value
        if self._set.RemoveHandle(value) != c_Result.kOk:
            raise NotFoundError(f"{handle!r} is not in the set")
        self._handles.pop(value, None)
        after_call()  # a waiting thread may have nothing left to wait for

    def add_event(self, event):
        """Adds an event.

        Raises:
            AlreadyExistsError: it is in the set.
        """
        if not isinstance(event, WaitableEvent):
            raise TypeError(f"event must be a WaitableEvent, not {type(event).__name__}")
        cdef WaitableEvent added = event
        if self._set.AddEvent(Ref[c_WaitableEvent](added._event)) != c_Result.kOk:
            raise AlreadyExistsError("the event is in the set")
        self._events[<uint64_t>added._event] = added
        after_call()

    def remove_event(self, event):
        """Removes an event.

        Raises:
            NotFoundError: it is not in the set.
        """
        if not isinstance(event, WaitableEvent):
            raise TypeError(f"event must be a WaitableEvent, not {type(event).__name__}")
        cdef WaitableEvent removed = event
        if self._set.RemoveEvent(removed._event) != c_Result.kOk:
            raise NotFoundError("the event is not in the set")
        self._events.pop(<uint64_t>removed._event, None)
        after_call()

    def wait(self, max_ready=16, timeout=None):
        """Blocks until a handle is ready, or was closed, or an event is signaled.

        With more ready handles than `max_ready`, the next wait begins with the others. A handle
        stays ready, and is reported again, until its state changes.

        Args:
            max_ready: how many handles to report at most.
            timeout: seconds; None: no limit.

        Returns:
            WaitSetResult: (event or None, list[ReadyHandle]). Both are empty if the set is, or if
            the time was up.

        Raises:
            BusyError: another thread waits on this set.
        """
        cdef size_t limit = to_count(max_ready, "max_ready")
        cdef Time deadline = to_deadline(timeout)
        cdef Ref[c_WaitableEvent] event
        cdef vector[c_ReadyHandle] ready
        cdef Environment environment = this_environment()
        cdef _SetReady condition
        cdef c_Result result
        cdef size_t i
        if self._waiting:
            raise BusyError("another thread waits on this set")
        self._waiting = True
        try:
            if environment is not None:
                condition = _SetReady.__new__(_SetReady)
                condition._set = self
                condition._limit = limit
                condition._event = &event
                condition._ready = &ready
                if not environment._run_until(condition, timeout):
                    return WaitSetResult(None, [])
            while environment is None:
                with nogil:
                    result = self._set.Wait(limit, next_slice(deadline), &event, &ready)
                if result == c_Result.kOk:
                    break
                PyErr_CheckSignals()
                if result == c_Result.kDeadlineExceeded and Now() >= deadline:
                    return WaitSetResult(None, [])
        finally:
            self._waiting = False
        cdef list reported = []
        for i in range(ready.size()):
            if ready[i].result == c_Result.kCancelled:
                handle = self._handles.pop(ready[i].value, None)
            else:
                handle = self._handles.get(ready[i].value)
            if handle is not None:
                reported.append(ReadyHandle(handle, to_result(ready[i].result),
                                            to_state(ready[i].state)))
        signaled = None
        if event.get() is not NULL:
            signaled = self._events.get(<uint64_t>event.get())
        return WaitSetResult(signaled, reported)


@cython.final
cdef class _SetReady(_Condition):

    cdef WaitSet _set
    cdef size_t _limit
    cdef Ref[c_WaitableEvent]* _event     # of the call that waits, as is _ready
    cdef vector[c_ReadyHandle]* _ready

    cdef bint _holds(self) except -1:
        return self._set._set.Look(self._limit, self._event, self._ready)

    cdef object _describe(self):
        return f"{self._set!r}"

    cdef bint _is_remote(self) except -1:
        return any([is_remote(handle) for handle in self._set._handles.values()])
