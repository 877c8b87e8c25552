# Environment: the core of mojo_seq.testing.TaskEnvironment. Whatever blocks on its thread runs the
# other sequences meanwhile, on the same stack, and waits on the simulation's clock.

# While other threads or processes may still send something: how long to wait before looking again
# (ns). Their sockets are not watched by anybody else.
cdef Time OUTSIDE_SLICE = 1_000_000
# A wait without limit in which the clock has moved so often waits for what never comes.
cdef enum: MOST_TIMERS = 200_000
# From then on a wait in a task lets the oldest go first: two that post each other for ever must not
# keep out what it waits for.
cdef enum: FAIR_AFTER = 1_000


cdef class Environment:
    """Runs sequences on one thread, on mock time, in an order that is chosen by a seed.

    Args:
        seed: chooses the order; None: first ready, first run.
        schedule: the choices of an earlier run, to be made again.
    """

    cdef Simulation* _simulation  # owned reference; constant
    cdef object _seed             # constant
    cdef double _patience
    cdef list _task_errors        # constant
    cdef list _waits              # the calls on the stack, the innermost last
    cdef list _at_exit
    cdef int64_t _channels_before # to other processes, which were there before the block
    cdef bint _used

    def __cinit__(self, seed=None, *, schedule=None):
        cdef vector[uint32_t] choices
        if schedule is not None:
            if seed is not None:
                raise InvalidArgumentError("either a seed or a schedule, not both")
            for choice in schedule:
                choice = _index(choice, "a choice of the schedule")
                if not 0 <= choice < 2**32:
                    raise InvalidArgumentError(f"{choice} is no choice of any schedule")
                choices.push_back(choice)
            self._simulation = new Simulation(choices)
        elif seed is not None:
            seed = _index(seed, "seed")
            if not 0 <= seed < 2**64:
                raise InvalidArgumentError(f"seed must be from 0 to 2**64 - 1, got {seed}")
            self._simulation = new Simulation(<uint64_t>seed)
        else:
            self._simulation = new Simulation()
        self._seed = seed
        self._patience = 10.0
        self._task_errors = []
        self._waits = []
        self._at_exit = []

    def __dealloc__(self):
        if self._simulation is not NULL:
            self._simulation.Release()

    # The layer above overrides these five.

    def new_future(self):
        """A future whose `result()` runs the environment."""
        return new_future()

    def expects_news(self):
        """Whether other threads may still post something."""
        return False

    def deadlocked(self, waits, blocked, reason):
        """Raises what tells that nothing can go on.

        Args:
            waits: (description, task runner or None, frame, could go on) of each blocking call,
                innermost last.
            blocked: (task runner or None, number of tasks) of sequences that have some, but cannot
                run them now.
            reason: what is the matter.
        """
        raise RuntimeError(reason)

    def make_pool(self, max_workers, name):
        """What a ThreadPool has in place of threads."""
        raise NotImplementedError

    def make_loop_runner(self):
        """The task runner of a RunLoop."""
        raise NotImplementedError

    def enter(self):
        """Makes it the environment of this thread."""
        if GetCurrentEnvironment() is not NULL:
            raise RuntimeError("there is an environment on this thread already; they do not nest")
        if self._used:
            raise RuntimeError("an environment is entered once")
        self._used = True
        self._channels_before = LiveCount(Kind.kChannel)
        Py_INCREF(self)
        SetCurrentEnvironment(<PyObject*>self)

    def leave(self):
        """Drops what is left to run. Nothing can be posted from now on."""
        self._check_thread()
        if self._waits:
            raise RuntimeError("an environment cannot be left from one of its own tasks")
        try:
            discard_all(self._simulation.Stop())
        finally:
            self._at_exit.clear()
            SetCurrentEnvironment(NULL)
            Py_DECREF(self)

    def call_at_exit(self, function):
        """Calls `function()` when the block is left, the last one first; tasks still run then."""
        if not callable(function):
            raise TypeError(f"function must be callable, not {type(function).__name__}")
        self._at_exit.append(function)

    def take_exit_call(self):
        """The next function to be called on leaving, or None."""
        return self._at_exit.pop() if self._at_exit else None

    @property
    def seed(self):
        """What chooses the order: a number, or None."""
        return self._seed

    @property
    def patience(self):
        """Seconds of real time to wait for threads and processes from which nothing comes."""
        return self._patience

    @patience.setter
    def patience(self, seconds):
        if not seconds >= 0:
            raise InvalidArgumentError(f"patience must not be negative, got {seconds}")
        self._patience = min(seconds, 1e9)

    @property
    def task_errors(self):
        """The TaskErrors for which there was no handler: a list that may be cleared."""
        return self._task_errors

    @property
    def schedule(self):
        """What was chosen, wherever more than one sequence could have gone on: a list of int."""
        return list(self._simulation.choices())

    def now(self):
        """The mock time in seconds, 0.0 to begin with. Any thread."""
        return self._simulation.now() / 1e9

    def advance(self, seconds):
        """Runs all that is ready, and all that becomes ready in the next `seconds`, to the end.

        The clock moves from timer to timer, and at last to the full time.

        Raises:
            InvalidArgumentError: seconds is negative or not finite.
        """
        cdef Time deadline
        self._check_thread()
        if seconds is None:
            raise TypeError("seconds must be a number, not NoneType")
        deadline = to_deadline_from(seconds, self._simulation.now())
        if deadline == kNever or seconds < 0:
            raise InvalidArgumentError(f"the clock cannot be advanced by {seconds} seconds")
        self._pump_all(f"advance({seconds})", deadline)

    def run_until_idle(self):
        """Runs tasks until none is ready. The clock stands still."""
        self._check_thread()
        self._pump_all("run_until_idle()", 0)

    def run_until(self, predicate, timeout=None, *, about=None):
        """Runs tasks until `predicate()` is true; where none is ready, the clock moves on.

        Args:
            timeout: seconds of mock time; None: no limit. 0 or less only looks.
            about: what is waited for, to be named if that never comes; None: the predicate.

        Returns:
            bool: False if the time was up first.

        Raises:
            RuntimeError: nothing is left to run, and there is no limit.
        """
        cdef _Predicate condition = _Predicate.__new__(_Predicate)
        if not callable(predicate):
            raise TypeError(f"predicate must be callable, not {type(predicate).__name__}")
        condition._predicate = predicate
        condition._about = predicate if about is None else about
        return self._run_until(condition, timeout)

    cdef int _check_thread(self) except -1:
        if GetCurrentEnvironment() is not <PyObject*>self:
            raise RuntimeError("to be called in the environment's block, on its thread")
        return 0

    cdef bint _run_until(self, _Condition condition, object timeout) except -1:
        """As `run_until`. Of the environment's thread."""
        cdef Time deadline
        self._check_thread()
        deadline = to_deadline_from(timeout, self._simulation.now())
        if condition._holds():
            return True
        if deadline <= self._simulation.now():
            return False
        return self._pump(condition, deadline, True)

    cdef int _pump_all(self, object call, Time deadline) except -1:
        cdef _Idle nothing = _Idle.__new__(_Idle)
        nothing._call = call
        self._pump(nothing, deadline, deadline > self._simulation.now())
        return 0

    cdef bint _pump(self, _Condition condition, Time deadline, bint clock_moves) except -1:
        """Runs tasks until the condition holds (True) or the time is up or nothing is ready."""
        cdef _Wait wait = _Wait.__new__(_Wait)
        cdef PyObject* runner = GetCurrentRunner()
        cdef PyFrameObject* frame = PyEval_GetFrame()
        wait.condition = condition
        wait.deadline = deadline
        if runner is not NULL:
            wait.runner = <object>runner
        if frame is not NULL:
            wait.frame = <object><PyObject*>frame
        # What is run here has nothing to do with the method or the event loop that waits for it.
        cdef PyObject* mailbox = SetCurrentMailbox(NULL)
        asyncio = _sys_modules.get("asyncio")
        loop = asyncio._get_running_loop() if asyncio is not None else None
        if loop is not None:
            asyncio._set_running_loop(None)
        self._waits.append(wait)
        try:
            return self._run_tasks(wait, clock_moves)
        finally:
            self._waits.pop()
            if loop is not None:
                asyncio._set_running_loop(loop)
            SetCurrentMailbox(mailbox)

    cdef bint _run_tasks(self, _Wait wait, bint clock_moves) except -1:
        cdef Ref[Sequence] sequence
        cdef Turn turn
        cdef Time deadline = wait.deadline
        cdef Time timer, silent_since = 0
        cdef bint newest_first
        cdef bint only_runs = isinstance(wait.condition, _Idle)
        cdef int timers = 0
        cdef uint64_t tasks = 0
        while True:
            if wait.outcome == TIMED_OUT and not only_runs:
                return False
            # What a task waits for is likely what it has just posted. Whatever else is begun on its
            # stack must end before it can go on, and might wait for it.
            newest_first = len(self._waits) > 1 and tasks < FAIR_AFTER
            turn = self._simulation.Next(wait._holds(), newest_first, &sequence)
            if turn == Turn.kCaller:
                return True
            if turn == Turn.kMisfit:
                self._report("the schedule is of another program: a choice of it cannot be made")
            if turn == Turn.kTask:
                self._run(sequence.get())
                silent_since = 0
                tasks += 1
                if tasks & 63 == 0:
                    PyErr_CheckSignals()
                    with nogil:
                        pass  # tasks that are not in Python never do this themselves
                continue
            if not clock_moves:
                return False
            timer = self._simulation.next_timer()
            if not only_runs and self._may_hear(wait, &silent_since, min(timer, deadline)):
                continue
            if timer <= deadline and timer != kNever:
                timers += 1
                if timers > MOST_TIMERS and deadline == kNever:
                    self._report(f"after {timers} timers this still waits")
                self._advance_to(timer)
            elif deadline != kNever:
                self._advance_to(deadline)
                return False
            else:
                self._report("nothing is left to run", True)

    cdef int _advance_to(self, Time time) except -1:
        """Nothing is ready, so those below, too, have what they waited for by now, or not in time:
        though they cannot go on yet, that is what they will return."""
        cdef _Wait wait
        for wait in self._waits[:-1]:
            if wait.deadline < time and not wait._holds():
                wait.outcome = TIMED_OUT
        self._simulation.AdvanceTo(time)
        return 0

    cdef bint _may_hear(self, _Wait wait, Time* silent_since, Time until) except -1:
        """While other threads or processes may send something, real time passes as the mock time
        would, within limits. False: then nothing came."""
        cdef Time now = Now()
        cdef Time limit
        if (LiveCount(Kind.kChannel) <= self._channels_before and not self.expects_news()
                and not wait.condition._is_remote()):
            return False
        if silent_since[0] == 0:
            silent_since[0] = now
        limit = silent_since[0] + <Time>(self._patience * 1e9)
        if until != kNever:
            limit = min(limit, silent_since[0] + until - self._simulation.now())
        if now >= limit:
            silent_since[0] = 0
            return False
        with nogil:
            self._simulation.AwaitPush(min(limit, now + OUTSIDE_SLICE))
        PyErr_CheckSignals()
        return True

    cdef int _run(self, Sequence* sequence) except -1:
        """One task of a sequence."""
        cdef Task* task = sequence.Pop()
        try:
            if task is not NULL:
                (<SimulatedScheduler*>sequence.scheduler()).tasks_run += counts(task)
                run_task(task, None, True)
        finally:
            self._simulation.Finish(Ref[Sequence](sequence))
            FlushWakes()
            after_call()
        return 0

    cdef int _report(self, object reason, bint idle=False) except -1:
        """Raises. `idle`: those further down may be able to go on, but not before the innermost."""
        cdef list waits = []
        cdef _Wait wait
        for wait in self._waits:
            could = idle and wait is not self._waits[-1] and (
                wait._holds() or wait.outcome == TIMED_OUT)
            waits.append((wait.condition._describe(), wait.runner, wait.frame, could))
        self.deadlocked(waits, self._blocked(), reason)
        raise RuntimeError(reason)

    cdef object _blocked(self):
        cdef vector[Ref[Sequence]] sequences = self._simulation.Blocked()
        cdef QueuedTasks queued
        cdef list found = []
        cdef size_t i
        for i in range(sequences.size()):
            queued.runner = NULL
            queued.count = 0
            sequences[i].get().VisitTasks(visit_queued, &queued)
            if queued.count:  # only this thread takes any out
                found.append((<object>queued.runner if queued.runner is not NULL else None,
                              queued.count))
        return found


cdef struct QueuedTasks:
    PyObject* runner
    int count


cdef int visit_queued(Task* task, void* arg) noexcept nogil:
    cdef QueuedTasks* queued = <QueuedTasks*>arg
    queued.count += 1
    if queued.runner is NULL and task.target is NULL:
        queued.runner = <PyObject*>(<CallTask*>task).runner
    return 0
