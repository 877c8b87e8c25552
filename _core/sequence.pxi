# Sequences: posting tasks and running them. What decides on which thread is in worker_pool.pxi and
# run_loop.pxi.

from cpython.contextvars cimport PyContext_Copy, PyContext_CopyCurrent, PyContext_Enter, PyContext_Exit

cdef extern from "Python.h":
    ctypedef struct PyFrameObject
    ctypedef struct PyCodeObject
    PyFrameObject* PyEval_GetFrame()
    PyFrameObject* PyFrame_GetBack(PyFrameObject* frame)
    PyCodeObject* PyFrame_GetCode(PyFrameObject* frame)
    int PyFrame_GetLasti(PyFrameObject* frame)
    int PyCode_Addr2Line(PyCodeObject* code, int instruction)
    object PyObject_Call(object function, object args, PyObject* kwargs)

cdef extern from "current_runner.h" namespace "mojo_seq":
    PyObject* GetCurrentRunner()
    PyObject* SetCurrentRunner(PyObject* runner)

TaskError = namedtuple("TaskError", "exception task posted_from runner", module="mojo_seq")
TaskError.__doc__ = "What an exception handler gets: the error, the task, and 'FILE:LINE' of its post."

cdef object Future = None  # concurrent.futures.Future, imported when first needed


cdef object new_future():
    global Future
    if Future is None:
        from concurrent.futures import Future as imported
        Future = imported
    return Future()


def current_runner():
    """The task runner of the running task.

    Raises:
        RuntimeError: this thread is not running a task of a sequence.
    """
    cdef PyObject* runner = GetCurrentRunner()
    if runner is NULL:
        raise RuntimeError("not in a task of a sequence")
    return <object>runner


cdef inline void* keep(object value):
    Py_INCREF(value)
    return <void*>value


@cython.final
cdef class TaskHandle:
    """A delayed task. Any thread may cancel it."""

    cdef TaskSequence _sequence  # None once it started or was cancelled
    cdef TimerKey _key

    def __init__(self):
        raise TypeError("TaskHandle cannot be made directly; use post_delayed_task")

    def cancel(self):
        """Keeps the task from running.

        Returns:
            bool: False if it has started, was cancelled before, or was skipped at shutdown.
        """
        cdef TaskSequence sequence = self._sequence
        cdef Task* task
        if sequence is None:
            return False
        self._forget()
        task = sequence._remove_timer(self._key)
        if task is not NULL:
            del task
            after_call()
        return True

    cdef int _forget(self) except -1:
        self._sequence = None
        return 0


cdef class TaskSequence:
    """Base of the task runners of this library: a queue of the core, that any thread may push to."""

    cdef Sequence* _sequence      # owned reference; constant
    cdef uint32_t _generation     # constant: of the process that has the threads
    cdef bint _parallel           # a single task, which is in no sequence
    cdef bint _keeps_runner       # its tasks keep this object alive
    cdef bint _one_by_one         # it wants to be asked before each step of a task that has several
    cdef object _exception_handler
    cdef object _name             # constant
    cdef tuple _blocked_on        # (Reply, Mailbox or None) that its running task waits for
    cdef object __weakref__

    def __dealloc__(self):
        if self._sequence is not NULL:
            self._sequence.Release()

    cdef int _init(self, Scheduler* scheduler, SequenceTraits traits, object name) except -1:
        if self._sequence is not NULL:
            raise TypeError("a task runner is made once")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a str or None, not {type(name).__name__}")
        self._sequence = new Sequence(Ref[Scheduler](scheduler), traits)
        self._generation = ForkGeneration()
        self._name = name
        return 0

    cdef int _check_loop(self) except -1:
        """Raises if whatever runs this sequence is gone."""
        return 0

    cdef int _hold(self) except -1:
        """A task was queued; the GIL was not released since."""
        return 0

    cdef bint _begin_block(self) except -1:
        """Its running task is about to sleep. True: `_end_block` is to be called afterwards."""
        return False

    cdef int _end_block(self) noexcept:
        return 0

    cdef Task* _remove_timer(self, TimerKey key):
        return NULL

    cdef c_Result _add_timer(self, Time due, Task* task, TimerKey* key):
        return c_Result.kUnimplemented

    cdef Time _now(self):
        """The time that its delays are counted from."""
        return Now()

    cdef object _new_future(self):
        return new_future()

    cdef int _uncaught(self, object error) except -1:
        """A TaskError for which there is no handler is going to be logged."""
        return 0

    @property
    def name(self):
        """The name given when it was made, or None."""
        return self._name

    @property
    def exception_handler(self):
        """Called on the sequence with a TaskError when a posted task raises; None: logging."""
        return self._exception_handler

    @exception_handler.setter
    def exception_handler(self, handler):
        if handler is not None and not callable(handler):
            raise TypeError(f"exception_handler must be callable, not {type(handler).__name__}")
        self._exception_handler = handler
        if not PyObject_GC_IsTracked(self):
            PyObject_GC_Track(<void*>self)  # see WorkerPool.new_sequence

    cdef CallTask* _new_task(self, TaskMode mode, object function, object arguments,
                             object keywords, object extra) except NULL:
        cdef PyFrameObject* frame
        cdef CallTask* task
        cdef object context
        if not callable(function):
            raise TypeError(f"a task must be callable, not {type(function).__name__}")
        if self._sequence is NULL:
            raise TypeError("the task runner was not initialised")
        if self._generation != ForkGeneration():
            raise ShutdownError("the sequence belongs to the process that fork()ed this one")
        self._check_loop()
        context = PyContext_CopyCurrent()
        task = new CallTask()
        task.mode = mode
        task.callable = keep(function)
        task.arguments = keep(arguments)
        task.context = keep(context)
        if keywords is not None:
            task.keywords = keep(keywords)
        if extra is not None:
            task.extra = keep(extra)
        if self._keeps_runner:
            task.runner = keep(self)
        frame = PyEval_GetFrame()
        if frame is not NULL and self._parallel:  # posted by a method of the pool: its caller
            frame = PyFrame_GetBack(frame)
            if frame is not NULL:
                Py_DECREF(<object>frame)  # the stack has one
        if frame is not NULL:
            task.code = <void*>PyFrame_GetCode(frame)
            task.instruction = PyFrame_GetLasti(frame)
        return task

    cdef int _push(self, CallTask* task) except -1:
        cdef c_Result result = self._sequence.Push(task)
        if result != c_Result.kOk:
            del task
            after_call()
            raise ShutdownError("the sequence was shut down")
        self._hold()
        after_call()
        return 0

    def post_task(self, fn, /, *args):
        """Runs `fn(*args)` on this sequence, after what was posted before. Any thread.

        It runs with a copy of the poster's context variables. What it raises goes to the
        exception handler.

        Raises:
            ShutdownError: the pool was shut down.
        """
        self._push(self._new_task(TaskMode.kPlain, fn, args, None, None))

    def post_delayed_task(self, delay, fn, /, *args):
        """Runs `fn(*args)` on this sequence, `delay` seconds from now at the earliest.

        Equal delays keep the order of posting. A shutdown skips what is not yet due.

        Returns:
            TaskHandle

        Raises:
            ShutdownError: the pool was shut down.
        """
        cdef TaskHandle handle = TaskHandle.__new__(TaskHandle)
        cdef CallTask* task
        if delay is None:
            raise TypeError("delay must be seconds, not NoneType")
        cdef Time due = to_deadline_from(delay, self._now())
        if due == kNever:
            if delay == float("inf"):
                raise InvalidArgumentError("delay must be finite")
            due = kNever - 1  # a legal number of centuries
        task = self._new_task(TaskMode.kDelayed, fn, args, None, handle)
        handle._sequence = self
        if self._add_timer(due, task, &handle._key) != c_Result.kOk:
            handle._forget()
            del task
            after_call()
            raise ShutdownError("the sequence was shut down")
        self._hold()
        after_call()
        return handle

    def post_task_and_reply(self, task, reply):
        """Runs `task()` here, then `reply(result)` on the calling sequence.

        If the task raises there is no reply, and the error is reported as any task's.

        Raises:
            RuntimeError: not called in a task of a sequence.
            ShutdownError: the pool was shut down.
        """
        if not callable(reply):
            raise TypeError(f"reply must be callable, not {type(reply).__name__}")
        extra = (reply, current_runner(), PyContext_CopyCurrent())
        self._push(self._new_task(TaskMode.kReply, task, (), None, extra))

    def submit(self, fn, /, *args, **kwargs):
        """Runs `fn(*args, **kwargs)` on this sequence.

        Returns:
            concurrent.futures.Future: its result or exception. Cancelled if it is skipped.

        Raises:
            ShutdownError: the pool was shut down.
        """
        future = self._new_future()
        self._push(self._new_task(TaskMode.kSubmit, fn, args, kwargs, future))
        return future

    def runs_tasks_in_current_sequence(self):
        """True in a task of this sequence."""
        return not self._parallel and GetCurrentRunner() is <PyObject*>self

    def __repr__(self):
        name = f" {self._name!r}" if self._name is not None else ""
        return f"<{type(self).__name__}{name}>"


@cython.final
cdef class _BoundTask:
    """A callable that posts another one. Of the core, so that its caller counts as the poster."""

    cdef object _post_task
    cdef object _function

    def __init__(self, post_task, function):
        self._post_task = post_task
        self._function = function

    def __call__(self, *args, **kwargs):
        if kwargs:
            from functools import partial
            self._post_task(partial(self._function, *args, **kwargs))
        else:
            self._post_task(self._function, *args)
