# What ThreadPool and RunLoop stand on inside an environment.


@cython.final
cdef class SimulatedPool:
    """Stands for the threads of a pool, or for one of its single threads.

    Args:
        max_running: so many of its sequences at most are in a task at the same time; None: any.
    """

    cdef SimulatedScheduler* _scheduler  # owned reference; constant
    cdef Environment _environment        # constant
    cdef object __weakref__

    def __cinit__(self, Environment environment not None, max_running=None):
        cdef size_t limit = 0x7FFFFFFF
        if max_running is not None:
            limit = min(limit, to_count(max_running, "max_workers"))
        self._environment = environment
        self._scheduler = new SimulatedScheduler(
            Ref[Simulation](environment._simulation), limit)

    def __dealloc__(self):
        if self._scheduler is not NULL:
            self._scheduler.Release()

    @property
    def closing(self):
        """True from the moment that it refuses new tasks."""
        return self._scheduler.closing() or self._environment._simulation.stopped()

    @property
    def tasks_run(self):
        """Tasks started since it was made."""
        return self._scheduler.tasks_run

    @property
    def tasks_skipped(self):
        """Tasks dropped at its shutdown."""
        return self._scheduler.tasks_skipped

    def close(self):
        """Refuses new tasks, and drops those that a shutdown does not wait for."""
        self._scheduler.tasks_skipped += discard_all(self._scheduler.Close())

    def wait_drained(self, timeout):
        """After `close`: runs the environment until nothing is left that a shutdown waits for.

        Returns:
            bool: False if the time was up first.
        """
        cdef _Drained condition = _Drained.__new__(_Drained)
        condition._pool = self
        if self._environment._simulation.stopped():
            return True
        return self._environment._run_until(condition, timeout)

    def statistics(self):
        """(ready sequences, running sequences, delayed tasks)."""
        cdef SimulatedStatistics now = self._scheduler.statistics()
        return now.ready, now.running, now.delayed


@cython.final
cdef class _Drained(_Condition):

    cdef SimulatedPool _pool

    cdef bint _holds(self) except -1:
        return self._pool._scheduler.IsDrained()

    cdef object _describe(self):
        return "the last tasks of a pool that is shut down"


cdef class SimulatedSequence(TaskSequence):
    """A sequence of an environment, which keeps it as long as it has tasks."""

    cdef SimulatedPool _pool  # constant
    cdef object _owner        # constant; what to keep alive as long as there are tasks

    def __init__(self, SimulatedPool pool not None, name=None, int priority=1,
                 bint may_block=False, int shutdown=0, *, owner=None, bint parallel=False):
        cdef SequenceTraits traits
        traits.priority = <c_Priority>priority
        traits.may_block = may_block
        traits.shutdown = <c_ShutdownBehavior>shutdown
        self._init(pool._scheduler, traits, name)
        self._pool = pool
        self._owner = owner
        self._keeps_runner = True
        self._one_by_one = True
        self._parallel = parallel

    @property
    def pool(self):
        """What stands for its threads."""
        return self._pool

    cdef c_Result _add_timer(self, Time due, Task* task, TimerKey* key):
        return self._pool._scheduler.AddTimer(due, Ref[Sequence](self._sequence), task, key)

    cdef Task* _remove_timer(self, TimerKey key):
        return self._pool._scheduler.RemoveTimer(key)

    cdef Time _now(self):
        return self._pool._environment._simulation.now()

    cdef object _new_future(self):
        return self._pool._environment.new_future()

    cdef int _uncaught(self, object error) except -1:
        self._pool._environment._task_errors.append(error)
        return 0


cdef class SimulatedLoopSequence(SimulatedSequence):
    """The sequence of a RunLoop: its tasks run only while `run()` does."""

    cdef bint _running
    cdef bint _quit

    def __init__(self, SimulatedPool pool not None, name=None):
        SimulatedSequence.__init__(self, pool, name)
        pool._scheduler.Suspend()

    def quit(self):
        """Makes `run()` return after the task it is in, or at its next start. Any thread."""
        self._check_made()
        self._quit = True
        self._pool._scheduler.Suspend()
        self._pool._environment._simulation.WakeUp()
        after_call()

    cdef int _check_made(self) except -1:
        if self._sequence is NULL:
            raise TypeError("the task runner was not initialised")
        return 0

    def run(self, bint until_idle=False):
        """Runs tasks, those of the whole environment, until `quit()`, or until none is ready.

        Raises:
            RuntimeError: it is running, or nothing is left to run.
        """
        cdef Environment environment
        cdef _LoopEnds condition = _LoopEnds.__new__(_LoopEnds)
        self._check_made()
        environment = self._pool._environment
        environment._check_thread()
        if self._running:
            raise RuntimeError(f"{self!r} is running already")
        condition._loop = self
        if condition._holds():
            self._quit = False
            return
        self._running = True
        self._pool._scheduler.Resume()
        try:
            environment._pump(condition, kNever, not until_idle)
        finally:
            self._pool._scheduler.Suspend()
            self._running = False
            self._quit = False


@cython.final
cdef class _LoopEnds(_Condition):

    cdef SimulatedLoopSequence _loop

    cdef bint _holds(self) except -1:
        return self._loop._quit or self._loop._pool._scheduler.closing()

    cdef object _describe(self):
        return "the quit() of a RunLoop"
