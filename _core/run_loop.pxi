# Sequences of one thread: RunLoop and single-thread runners, and those of foreign event loops.


cdef class _LoopSequence(TaskSequence):
    """What the two kinds have in common."""

    cdef LoopScheduler* _scheduler  # owned reference; constant

    def __del__(self):
        if self._sequence is not NULL:
            discard_all(self._scheduler.Close())
            discard_all(self._sequence.TakeAll())

    cdef int _check_made(self) except -1:
        if self._sequence is NULL:
            raise TypeError("the task runner was not initialised")
        return 0

    def __dealloc__(self):
        if self._scheduler is not NULL:
            self._scheduler.Release()

    cdef c_Result _add_timer(self, Time due, Task* task, TimerKey* key):
        return self._scheduler.AddTimer(due, Ref[Sequence](self._sequence), task, key)

    cdef Task* _remove_timer(self, TimerKey key):
        return self._scheduler.RemoveTimer(key)

    def close(self):
        """Refuses new tasks. What is queued and delayed is skipped; futures are cancelled."""
        cdef uint64_t count
        self._check_made()
        count = discard_all(self._scheduler.Close())
        self._skipped(count + discard_all(self._sequence.TakeAll()))

    cdef int _skipped(self, uint64_t count) except -1:
        return 0

    @property
    def closing(self):
        """True from the moment that it refuses new tasks."""
        return self._scheduler.closing()


cdef class LoopSequence(_LoopSequence):
    """A sequence that a thread runs in `run()`."""

    cdef bint _running
    cdef readonly uint64_t tasks_run
    cdef readonly uint64_t tasks_skipped

    def __cinit__(self, *args, **kwargs):
        self._scheduler = new c_RunLoop()

    def __init__(self, name=None):
        cdef SequenceTraits traits
        self._init(self._scheduler, traits, name)

    cdef c_RunLoop* _loop(self) noexcept nogil:
        return <c_RunLoop*>self._scheduler

    def quit(self):
        """Makes `run()` return after the task it is in, or at its next start. Any thread."""
        self._loop().Quit()
        after_call()

    def run(self, bint until_idle=False, bint raise_exit=True):
        """Runs tasks on this thread until `quit()`, or until none is left, or `close()`.

        Raises:
            RuntimeError: it is running.
            KeyboardInterrupt, SystemExit: with raise_exit, if a task or a signal handler raises it.
        """
        cdef Task* task
        cdef Wake wake
        cdef int count = 0
        cdef Time last_release = Now()
        self._check_made()
        if self._running:
            raise RuntimeError(f"{self!r} is running already")
        self._running = True
        try:
            while not self._loop().TakeQuit():
                self._scheduler.RunTimers()
                if self._scheduler.closing():
                    break
                task = self._sequence.Pop()
                if task is not NULL:
                    self.tasks_run += counts(task)
                    run_task(task, self, raise_exit)
                    count += 1
                    if count & 63 == 0:
                        PyErr_CheckSignals()
                        if Now() > last_release + QUANTUM:
                            with nogil:
                                pass  # tasks that are not in Python never do this themselves
                            last_release = Now()
                    continue
                if until_idle:
                    break
                with nogil:
                    wake = self._loop().Wait(next_slice(kNever))
                last_release = Now()
                if wake != Wake.kWoken:
                    PyErr_CheckSignals()
        finally:
            self._running = False
            after_call()
        if self._scheduler.closing():
            self.tasks_skipped += discard_all(self._sequence.TakeAll())

    cdef int _skipped(self, uint64_t count) except -1:
        self.tasks_skipped += count
        return 0


@cython.final
cdef class _WakeupDescriptor:
    """The descriptor of an FdSequence, open as long as this object lives."""

    cdef WakeupFd* _wakeup  # owned reference; constant

    def __dealloc__(self):
        if self._wakeup is not NULL:
            (<RefCounted*>self._wakeup).Release()

    def fileno(self):
        if self._wakeup is NULL:
            raise TypeError("the descriptor was not made by a task runner")
        return self._wakeup.fd()


cdef class FdSequence(_LoopSequence):
    """A sequence that a foreign event loop runs: `run_ready()` whenever its descriptor is readable."""

    cdef object _is_closed  # constant; tells whether the loop is gone
    cdef list _held         # constant; holds this object while it has tasks, for the loop to keep

    def __cinit__(self, *args, **kwargs):
        cdef Ref[WakeupFd] wakeup
        if CreateWakeupFd(&wakeup) != c_Result.kOk:
            raise ResourceExhaustedError("no descriptor left for a task runner")
        self._scheduler = wakeup.Detach()

    def __init__(self, is_closed, list held not None):
        cdef SequenceTraits traits
        self._init(self._scheduler, traits, None)
        self._is_closed = is_closed
        self._held = held

    cdef int _check_loop(self) except -1:
        if self._is_closed():
            raise ShutdownError("the event loop is closed")
        return 0

    cdef int _hold(self) except -1:
        if not self._held:
            self._held.append(self)
        return 0

    def descriptor(self):
        """An object whose `fileno()` is to be watched for reading; it keeps it open."""
        cdef _WakeupDescriptor made = _WakeupDescriptor.__new__(_WakeupDescriptor)
        made._wakeup = <WakeupFd*>self._scheduler
        (<RefCounted*>made._wakeup).AddRef()
        return made

    def run_ready(self):
        """Runs what is ready, for a while at most.

        Returns:
            float | None: seconds until the next delayed task is due.
        """
        cdef Task* task
        cdef int count = 0
        cdef Time end = Now() + QUANTUM
        cdef Time due
        self._check_made()
        (<WakeupFd*>self._scheduler).Drain()
        self._scheduler.RunTimers()
        while not self._scheduler.closing():
            if count == TURN or (count & 15 == 15 and Now() > end):
                self._wake_again()
                break
            task = self._sequence.Pop()
            if task is NULL:
                # Nobody can have posted since: that takes the GIL.
                if self._scheduler.next_timer() == kNever:
                    self._held.clear()
                break
            count += 1
            try:
                run_task(task, self, True)
            except BaseException:
                self._wake_again()
                raise
        after_call()
        due = self._scheduler.next_timer()
        if due == kNever:
            return None
        return max(0, due - Now()) / 1e9

    cdef int _wake_again(self) noexcept:
        """There may be more, but others want their turn."""
        (<WakeupFd*>self._scheduler).Schedule(self._sequence)
        FlushWakes()
        return 0
