# SimpleWatcher: one handle, watched on one sequence. On a sequence of the core a notification is
# pushed on its queue by the thread that made the change, without the GIL.


class ArmingPolicy(enum.Enum):
    """Who arms a SimpleWatcher (Mojo C++ System API, "Watching Handles")."""

    __module__ = "mojo_seq"

    AUTOMATIC = 0
    MANUAL = 1


cdef class SimpleWatcher:
    """Watches one handle and calls back on one sequence, only ever as a task posted there.

    With AUTOMATIC it is armed again after each callback; with MANUAL each delivery disarms it, and
    `arm()` or `arm_or_notify()` must be called for the next. After `cancel()` or `close()` returns
    on the sequence, the callback is never called again. Dropping the object cancels.

    To be used on its sequence, or before anything is posted there.

    Args:
        arming_policy: AUTOMATIC or MANUAL.
        task_runner: its sequence; None: the current one.

    Raises:
        RuntimeError: there is no current sequence, and none is given.
    """

    cdef bint _automatic              # constant, as is _runner
    cdef object _runner
    cdef object _callback             # None: idle, as for all below
    cdef object _handle
    cdef c_Watcher* _watcher          # owned reference
    cdef HandleValue _value
    cdef NotificationTarget* _target  # owned reference; its owner is this object
    cdef bint _failed                 # FAILED_PRECONDITION was delivered
    cdef object __weakref__

    def __init__(self, arming_policy=ArmingPolicy.AUTOMATIC, task_runner=None):
        if not isinstance(arming_policy, ArmingPolicy):
            raise TypeError(f"arming_policy must be an ArmingPolicy, not {arming_policy!r}")
        if task_runner is None:
            task_runner = current_runner()
        elif not isinstance(task_runner, TaskSequence) and not hasattr(task_runner, "post_task"):
            raise TypeError(
                f"task_runner must be a SequencedTaskRunner, not {type(task_runner).__name__}")
        self._automatic = arming_policy is ArmingPolicy.AUTOMATIC
        self._runner = task_runner

    def __del__(self):
        self.cancel()

    def __dealloc__(self):
        if self._target is not NULL:  # begun again by what __del__ set off
            self._drop()

    cdef int _drop(self) noexcept:
        """Ends the watch; notifications on their way find no owner."""
        cdef c_Watcher* watcher = self._watcher
        cdef NotificationTarget* target = self._target
        self._watcher = NULL
        self._target = NULL
        target.owner = NULL
        watcher.Close(self._value)
        watcher.Release()
        target.Release()
        return 0

    @property
    def is_watching(self):
        """True from `watch` to `cancel`, or to the closing of the handle."""
        return self._target is not NULL

    @property
    def handle(self):
        """The handle that is watched, or None."""
        return self._handle

    def watch(self, handle, signals, callback):
        """Starts watching. With AUTOMATIC, a handle that is ready already is reported by a task.

        Args:
            callback: `callback(result, state)` with OK, FAILED_PRECONDITION (none of `signals` can
                come any more; once) or CANCELLED (the handle was closed or sent; the last; by then
                the watcher is idle and may watch again).

        Raises:
            AlreadyExistsError: it is watching.
            InvalidArgumentError: the handle is closed, sent or has no signals.
        """
        cdef c_Signals wanted = to_signals(signals)
        cdef Handle watched
        cdef c_Result result
        if not callable(callback):
            raise TypeError(f"callback must be callable, not {type(callback).__name__}")
        watched = to_watchable(handle, None)
        if self._runner is None:
            raise TypeError("the watcher was not initialised")
        if self._target is not NULL:
            raise AlreadyExistsError("the watcher is watching")
        self._target = new NotificationTarget(<void*>self)
        if isinstance(self._runner, TaskSequence):
            self._watcher = NewSequenceWatcher(
                self._target, (<TaskSequence>self._runner)._sequence)
        else:
            self._watcher = NewPythonWatcher(self._target, post_to_foreign_runner)
        self._value = self._watcher.Adopt()
        result = self._watcher.WatchHandle(
            self._value, Ref[Dispatcher](watched._dispatcher), watched._value, wanted, 0)
        if result != c_Result.kOk:
            self._drop()
            watched._check_open()
        self._callback = callback
        self._handle = handle
        self._failed = False
        if self._automatic:
            self._arm_or_notify()
        after_call()  # watching may have found news for others

    def arm(self):
        """Arms the watcher, unless its condition is met already.

        Returns:
            ReadyWatch | None: None if armed, else what a callback would have been told (its
            context is None).

        Raises:
            NotFoundError: nothing is watched.
        """
        cdef c_ReadyWatch ready
        if self._target is NULL:
            raise NotFoundError("nothing is watched")
        if self._arm(&ready):
            return None
        return ReadyWatch(None, to_result(ready.result), to_state(ready.state))

    cdef bint _arm(self, c_ReadyWatch* ready):
        """True if armed, or if the handle is gone, which is going to be told by itself."""
        cdef vector[c_ReadyWatch] found
        if self._watcher.Arm(self._value, 1, &found) != c_Result.kFailedPrecondition:
            return True
        ready[0] = found[0]
        return False

    def arm_or_notify(self):
        """Arms the watcher; if its condition is met already, posts a callback instead."""
        if self._target is not NULL:
            self._arm_or_notify()

    cdef int _arm_or_notify(self) except -1:
        cdef c_ReadyWatch ready
        cdef NotificationTask* task
        if self._arm(&ready):
            return 0
        if self._failed and ready.result == c_Result.kFailedPrecondition:
            return 0
        if not isinstance(self._runner, TaskSequence):
            post_to_foreign_runner(self._target, 0, ready.result, ready.state, 0)
            return 0
        task = new NotificationTask()
        (<RefCounted*>self._target).AddRef()
        task.target = self._target
        task.result = ready.result
        task.state = ready.state
        if (<TaskSequence>self._runner)._sequence.Push(task) != c_Result.kOk:
            del task  # its sequence was shut down and runs nothing more
        after_call()
        return 0

    def cancel(self):
        """Stops watching; harmless when idle."""
        if self._target is NULL:
            return
        self._drop()
        self._callback = None
        self._handle = None
        after_call()

    def close(self):
        """The same as `cancel`."""
        self.cancel()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.cancel()

    cdef int _on_notification(self, c_Result result, c_SignalsState state) except -1:
        """On the sequence."""
        cdef NotificationTarget* target = self._target
        callback = self._callback
        if result == c_Result.kCancelled:
            self._drop()
            self._callback = None
            self._handle = None
            callback(to_result(result), to_state(state))
            return 0
        if result == c_Result.kFailedPrecondition:
            if self._failed:
                return 0
            self._failed = True
        try:
            callback(to_result(result), to_state(state))
        finally:
            # Only if the callback did not cancel, or begin another watch.
            if self._target is target and self._automatic:
                self._arm_or_notify()
        return 0


cdef int run_notification(NotificationTask* task, TaskSequence runner, bint raise_exit) except -1:
    """Runs and frees a notification that reached its sequence."""
    cdef void* owner = task.target.owner
    cdef c_Result result = task.result
    cdef c_SignalsState state = task.state
    cdef PyObject* previous
    cdef SimpleWatcher watcher
    if owner is NULL:  # cancelled meanwhile
        del task
        return 0
    watcher = <SimpleWatcher>owner
    del task
    callback = watcher._callback
    if runner is None:
        runner = watcher._runner
    previous = SetCurrentRunner(<PyObject*>runner)
    try:
        watcher._on_notification(result, state)
    except BaseException as error:
        if raise_exit and not isinstance(error, Exception):
            raise
        report_error(runner, error, callback, NULL, 0)
    finally:
        SetCurrentRunner(previous)
    return 0


cdef void post_to_foreign_runner(void* target, WatchContext context, c_Result result,
                                 c_SignalsState state, uint32_t flags) noexcept with gil:
    """For task runners that are not of the core: their own post_task, with the GIL."""
    cdef void* owner = (<NotificationTarget*>target).owner
    cdef _ForeignNotification notification
    if owner is NULL:
        return
    watcher = <SimpleWatcher>owner
    notification = _ForeignNotification.__new__(_ForeignNotification)
    notification.target = <NotificationTarget*>target
    (<RefCounted*>notification.target).AddRef()
    notification.result = result
    notification.state = state
    try:
        watcher._runner.post_task(notification)
    except ShutdownError:
        return  # it runs nothing more
    except BaseException:
        write_unraisable(watcher._callback)


@cython.final
cdef class _ForeignNotification:
    """The task that carries a notification to a foreign task runner."""

    cdef NotificationTarget* target
    cdef c_Result result
    cdef c_SignalsState state

    def __dealloc__(self):
        if self.target is not NULL:
            (<RefCounted*>self.target).Release()

    def __call__(self):
        if self.target is NULL or self.target.owner is NULL:
            return
        watcher = <SimpleWatcher>self.target.owner
        watcher._on_notification(self.result, self.state)
