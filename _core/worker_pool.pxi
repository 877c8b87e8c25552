# The core of ThreadPool: what its threads do, and the sequences that they run.

cdef extern from "Python.h":
    void PyObject_GC_Track(void* object)
    void PyObject_GC_UnTrack(void* object)
    bint PyObject_GC_IsTracked(object object)

# A thread stays with one sequence for so many tasks, or so long (ns), before others get their turn.
cdef enum: TURN = 256
cdef Time QUANTUM = 5_000_000


ThreadPoolStatistics = namedtuple(
    "ThreadPoolStatistics",
    "workers idle_workers sequences_ready sequences_running tasks_delayed tasks_run tasks_skipped",
    module="mojo_seq")
ThreadPoolStatistics.__doc__ = """A ThreadPool at one moment.

workers: threads that serve sequences, single-thread runners not counted; idle_workers: those that
sleep; sequences_ready: that wait for a thread; sequences_running: that have one; tasks_delayed: not
yet due; tasks_run: started since the pool was made; tasks_skipped: dropped at shutdown.
"""


cdef class WorkerPool:
    """Runs sequences on threads that the layer above starts."""

    cdef c_WorkerPool* _pool   # owned reference; constant
    cdef readonly uint64_t tasks_run
    cdef readonly uint64_t tasks_skipped
    cdef object _start_thread  # while there are threads
    cdef object __weakref__

    def __cinit__(self, max_workers):
        self._pool = new c_WorkerPool(to_count(max_workers, "max_workers"))

    def __dealloc__(self):
        if self._pool is not NULL:
            self._pool.Release()

    @property
    def closing(self):
        """True from the moment that it refuses new tasks."""
        return self._pool.closing()

    def wants_thread(self):
        """True if a thread should be started for `run_worker` now; it must be, or `thread_failed`."""
        return self._pool.WantsThread()

    def thread_failed(self):
        """The thread that was wanted could not be started."""
        self._pool.ThreadFailed()

    def add_thread(self):
        """The calling thread is about to call `run_worker` without having been asked."""
        self._pool.AddThread()

    def run_worker(self, start_thread):
        """The life of a worker thread. `start_thread()` is called when another one is needed."""
        cdef Worker* worker = new Worker()
        cdef Ref[Sequence] sequence
        cdef Time last_release = Now()
        cdef bint goes_on
        self._start_thread = start_thread
        try:
            while True:
                if Now() > last_release + QUANTUM:
                    with nogil:
                        pass  # tasks that are not in Python never do this themselves
                    last_release = Now()
                sequence = self._pool.TryNext(worker)
                if sequence.get() is NULL:
                    with nogil:
                        goes_on = self._pool.AwaitReady(worker)
                    if not goes_on:
                        break
                    last_release = Now()
                    continue
                self._start_if_wanted()
                self._run_sequence(sequence.get())
                self._pool.Finish(sequence)
                FlushWakes()
                after_call()
        finally:
            FlushWakes()
            del worker

    cdef int _start_if_wanted(self) except -1:
        if self._pool.WantsThread():
            try:
                self._start_thread()
            except BaseException:
                self._pool.ThreadFailed()
                write_unraisable(self)
        return 0

    def serve(self, poll, dispatch, start_thread):
        """The life of a thread that makes sequences ready itself, and runs them then and there.

        It is none of the pool's own: it runs what it can as long as there is something, and waits
        in `poll()` while there is nothing. What `dispatch(found)` makes ready wakes no other thread.

        Args:
            poll: blocks; returns what it has found, or None when the thread is to end.
            dispatch: called with that.
            start_thread: called when the pool needs another thread.
        """
        cdef Worker* worker = new Worker(False)
        cdef Ref[Sequence] sequence
        self._start_thread = start_thread
        try:
            while True:
                sequence = self._pool.TryNext(worker)
                if sequence.get() is NULL:
                    self._pool.Rest(worker)
                    found = poll()
                    if found is None:
                        break
                    self._pool.Search(worker)
                    dispatch(found)
                    found = None
                    continue
                self._start_if_wanted()
                self._run_sequence(sequence.get())
                self._pool.Finish(sequence)
                FlushWakes()
                after_call()
        finally:
            self._pool.Rest(worker)
            FlushWakes()
            del worker

    cdef int _run_sequence(self, Sequence* sequence) except -1:
        cdef Task* task
        cdef Time end = Now() + QUANTUM
        cdef int count = 0
        while True:
            task = sequence.Pop()
            if task is NULL:
                return 0
            if self._pool.MustSkip(sequence[0]):
                self.tasks_skipped += counts(task)
                discard_task(task)
            else:
                self.tasks_run += counts(task)
                run_task(task, None, False)
            count += 1
            if count == TURN or (count & 15 == 0 and Now() > end):
                return 0

    def new_sequence(self, sequence_class, owner):
        """A PoolSequence of a subclass, without a name and with default traits, in less time.

        The garbage collector does not look at it: all that it refers to is the pool, until it is
        given an exception handler.
        """
        cdef PoolSequence sequence = sequence_class.__new__(sequence_class)
        cdef SequenceTraits traits
        sequence._init(self._pool, traits, None)
        sequence._pool = self
        sequence._owner = owner
        sequence._keeps_runner = True
        PyObject_GC_UnTrack(<void*>sequence)
        return sequence

    def close(self):
        """Refuses new tasks and drops the delayed ones."""
        self.tasks_skipped += discard_all(self._pool.Close())

    def wait_drained(self, timeout):
        """After `close`: blocks until nothing is left that a shutdown waits for.

        Returns:
            bool: False if the time was up first.
        """
        cdef Time deadline = to_deadline(timeout)
        cdef c_Result result
        while True:
            with nogil:
                result = self._pool.WaitDrained(next_slice(deadline))
            if result == c_Result.kOk:
                return True
            PyErr_CheckSignals()
            if result == c_Result.kDeadlineExceeded and Now() >= deadline:
                return False

    def statistics(self):
        """(threads, idle threads, ready sequences, running sequences, delayed tasks)."""
        cdef PoolStatistics now = self._pool.statistics()
        return now.threads, now.idle, now.ready, now.running, now.delayed


cdef class PoolSequence(TaskSequence):
    """A sequence of a WorkerPool. The pool's threads keep it as long as it has tasks."""

    cdef WorkerPool _pool  # constant
    cdef object _owner     # constant; what to keep alive as long as there are tasks

    def __init__(self, WorkerPool pool not None, name, int priority, bint may_block, int shutdown,
                 *, owner=None, bint parallel=False):
        cdef SequenceTraits traits
        traits.priority = <c_Priority>priority
        traits.may_block = may_block
        traits.shutdown = <c_ShutdownBehavior>shutdown
        self._init(pool._pool, traits, name)
        self._pool = pool
        self._owner = owner
        self._keeps_runner = True
        self._parallel = parallel

    cdef c_Result _add_timer(self, Time due, Task* task, TimerKey* key):
        return self._pool._pool.AddTimer(due, Ref[Sequence](self._sequence), task, key)

    cdef bint _begin_block(self) except -1:
        if self._pool._start_thread is None:
            return False
        if not self._pool._pool.BeginBlock():
            raise ResourceExhaustedError("too many tasks of this pool wait for actors at once")
        self._pool._start_if_wanted()
        return True

    cdef int _end_block(self) noexcept:
        self._pool._pool.EndBlock()
        return 0

    cdef Task* _remove_timer(self, TimerKey key):
        return self._pool._pool.RemoveTimer(key)
