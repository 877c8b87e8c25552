# Watcher: the low-level watching API. The callback and the contexts live here, in Python, where
# the garbage collector sees them; the engine knows a context by its number and this object by a
# pointer that is cleared when it dies.


cdef class Watcher(Handle):
    """Watches any number of handles and calls back, at most once each time it is armed.

    The callback runs on whatever thread made the change, at the end of the outermost call there,
    with the arguments (context, Result, SignalsState, NotificationFlags). For one context at a
    time; CANCELLED is the last for each. What it raises goes to sys.unraisablehook. It may use
    this watcher and any handle freely (Mojo C System API, "Signals & Watchers").

    Dropping the last reference closes the watcher. Any thread.
    """

    cdef object _callback              # constant
    cdef dict _contexts                # number -> context, until CANCELLED was delivered
    cdef dict _numbers                 # context -> number of its newest watch
    cdef WatchContext _last_number
    cdef bint _kept                    # it holds a reference to itself: see _keep
    cdef NotificationTarget* _target   # owned reference; its owner is this object, until it dies

    def __init__(self, callback):
        if not callable(callback):
            raise TypeError(f"callback must be callable, not {type(callback).__name__}")
        if self._dispatcher is not NULL:
            raise TypeError("a watcher is made once")
        self._callback = callback
        self._contexts = {}
        self._numbers = {}
        self._target = new NotificationTarget(<void*>self)
        self._dispatcher = <Dispatcher*>NewPythonWatcher(self._target, deliver_to_watcher)
        self._value = self._dispatcher.Adopt()

    def __dealloc__(self):
        if self._target is not NULL:
            self._target.owner = NULL
            self._target.Release()

    def __del__(self):
        if self._is_open():
            self._dispatcher.Close(self._value)
            after_call()
            self._keep()

    def close(self):
        """Closes the watcher; each of its watches gets CANCELLED. Harmless when repeated."""
        if self._is_open():
            self._dispatcher.Close(self._value)
            after_call()
            self._keep()

    cdef int _keep(self) except -1:
        """Lives on until its last CANCELLED is delivered: inside a callback that comes later."""
        if self._contexts and not self._kept:
            self._kept = True
            Py_INCREF(self)
        return 0

    cdef c_Watcher* _watcher(self) except NULL:
        self._check_open()
        return <c_Watcher*>self._dispatcher

    def watch(self, handle, signals, context):
        """Watches a handle for any of `signals`, or for when none of them can come any more.

        A watched handle does not keep its watcher alive, nor the other way round.

        Args:
            context: hashable; what the callback gets to know the watch by.

        Raises, in this order:
            InvalidArgumentError: the handle (or this watcher) is closed or sent.
            AlreadyExistsError: the context or the handle is in use here.
            InvalidArgumentError: a handle without signals.
        """
        cdef c_Signals wanted = to_signals(signals)
        cdef c_Watcher* watcher = self._watcher()
        cdef Handle watched
        cdef WatchContext number
        cdef c_Result result
        if not isinstance(handle, Handle):
            raise TypeError(f"handle must be a Handle, not {type(handle).__name__}")
        watched = handle
        watched._check_open()
        known = self._numbers.get(context)
        if known is not None and watcher.HasWatch(known):
            raise AlreadyExistsError(f"context {context!r} is in use")
        self._last_number += 1
        number = self._last_number
        self._contexts[number] = context
        self._numbers[context] = number
        result = watcher.WatchHandle(self._value, Ref[Dispatcher](watched._dispatcher),
                                     watched._value, wanted, number)
        if result != c_Result.kOk:
            self._forget(number)
            if result == c_Result.kAlreadyExists:
                raise AlreadyExistsError(f"{handle!r} is watched already")
            self._check_open()
            watched._check_open()
            raise InvalidArgumentError(f"{handle!r} has no signals to watch")
        after_call()

    cdef object _forget(self, WatchContext number):
        context = self._contexts.pop(number, None)
        if self._numbers.get(context) == number:
            del self._numbers[context]
        return context

    def cancel(self, context):
        """Ends a watch. Its callback gets CANCELLED before this returns, or, called from inside a
        callback, after that one has returned. Waits for a callback that runs on another thread.

        Raises:
            NotFoundError: there is no such watch.
        """
        cdef c_Watcher* watcher = self._watcher()
        cdef c_Result result = c_Result.kNotFound
        number = self._numbers.get(context)
        if number is not None:
            result = watcher.CancelWatch(self._value, number)
        if result != c_Result.kOk:
            self._check_open()
            raise NotFoundError(f"context {context!r} is not watched")
        after_call()

    def arm(self, max_ready=16):
        """Arms the watcher, unless something it watches is ready already.

        Args:
            max_ready: how many watches to report at most. With more, the next call goes on where
                this one ended.

        Returns:
            list[ReadyWatch]: empty if armed. Otherwise it is not armed, and these are in the way.

        Raises:
            NotFoundError: nothing is watched.
        """
        cdef vector[c_ReadyWatch] ready
        cdef size_t i
        cdef size_t limit = to_count(max_ready, "max_ready")
        cdef c_Result result = self._watcher().Arm(self._value, limit, &ready)
        if result == c_Result.kNotFound:
            raise NotFoundError("nothing is watched")
        if result == c_Result.kInvalidArgument:
            self._check_open()
        cdef list reported = []
        for i in range(ready.size()):
            if ready[i].context in self._contexts:
                reported.append(ReadyWatch(self._contexts[ready[i].context],
                                           to_result(ready[i].result), to_state(ready[i].state)))
        return reported

    cdef int _deliver(self, WatchContext number, c_Result result, c_SignalsState state,
                      uint32_t flags) except -1:
        if result == c_Result.kCancelled:
            if number not in self._contexts:
                return 0  # watch() itself failed
            context = self._forget(number)
            if self._kept and not self._contexts:
                self._kept = False
                Py_DECREF(self)  # the caller has a reference of its own
        else:
            context = self._contexts[number]
        self._callback(context, to_result(result), to_state(state), NOTIFICATION_FLAGS[flags])
        return 0


cdef void deliver_to_watcher(void* target, WatchContext number, c_Result result,
                             c_SignalsState state, uint32_t flags) noexcept with gil:
    cdef void* owner = (<NotificationTarget*>target).owner
    cdef PyObject* error_type = NULL
    cdef PyObject* error_value = NULL
    cdef PyObject* error_traceback = NULL
    if owner is NULL:
        return
    watcher = <Watcher>owner
    PyErr_Fetch(&error_type, &error_value, &error_traceback)
    try:
        watcher._deliver(number, result, state, flags)
    except BaseException:
        write_unraisable(watcher._callback)
    PyErr_Restore(error_type, error_value, error_traceback)


cdef int write_unraisable(object where) noexcept:
    """Gives the exception being handled to sys.unraisablehook."""
    import sys
    cdef PyObject* error_type
    cdef PyObject* error_value
    cdef PyObject* error_traceback
    kind, error, traceback = sys.exc_info()
    Py_INCREF(kind)
    Py_INCREF(error)
    Py_INCREF(traceback)
    PyErr_Restore(<PyObject*>kind, <PyObject*>error, <PyObject*>traceback)
    PyErr_WriteUnraisable(<PyObject*>where)
    return 0
