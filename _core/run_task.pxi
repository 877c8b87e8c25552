# Running a task, and what becomes of one that is not run.


cdef int run_task(Task* task, TaskSequence runner, bint raise_exit) except -1:
    """Runs and frees a task. With `raise_exit`, KeyboardInterrupt and SystemExit come out."""
    cdef PyObject* previous
    if task.target is not NULL:
        run_notification(<NotificationTask*>task, runner, raise_exit)
        return 0
    cdef CallTask* call = <CallTask*>task
    if runner is None:
        runner = <TaskSequence>call.runner
    previous = SetCurrentRunner(<PyObject*>NULL if runner._parallel else <PyObject*>runner)
    try:
        if call.mode == TaskMode.kTurn:
            (<Mailbox>call.callable)._take_turn()
        else:
            run_call(call, runner, raise_exit)
    except BaseException as error:
        if raise_exit and not isinstance(error, Exception):
            raise
        report_error(runner, error, <object>call.callable, call.code, call.instruction)
    finally:
        SetCurrentRunner(previous)
        free_call(call)
    return 0


cdef int run_call(CallTask* call, TaskSequence runner, bint raise_exit) except -1:
    cdef object context = <object>call.context
    cdef object result
    cdef TaskHandle handle
    if call.mode == TaskMode.kSubmit:
        return run_submitted(call, raise_exit)
    if call.mode == TaskMode.kDelayed:
        handle = <TaskHandle>call.extra
        if handle._sequence is None:
            return 0  # cancelled after it was due
        handle._forget()
    result = call_in_context(context, <object>call.callable, <object>call.arguments, NULL)
    if call.mode == TaskMode.kReply:
        reply, origin, reply_context = <object>call.extra
        post_reply(call, origin, reply, result, reply_context)
    return 0


cdef int run_submitted(CallTask* call, bint raise_exit) except -1:
    future = <object>call.extra
    if not future.set_running_or_notify_cancel():
        return 0
    try:
        result = call_in_context(<object>call.context, <object>call.callable,
                                 <object>call.arguments, <PyObject*>call.keywords)
    except BaseException as error:
        future.set_exception(error)
        if raise_exit and not isinstance(error, Exception):
            raise
        return 0
    future.set_result(result)
    return 0


cdef object call_in_context(object context, object function, object arguments, PyObject* keywords):
    PyContext_Enter(context)
    try:
        return PyObject_Call(function, arguments, keywords)
    finally:
        PyContext_Exit(context)


cdef int post_reply(CallTask* asked, object origin, object reply, object result,
                    object context) except -1:
    cdef CallTask* task
    try:
        if not isinstance(origin, TaskSequence):
            context.run(origin.post_task, reply, result)
            return 0
        task = (<TaskSequence>origin)._new_task(TaskMode.kPlain, reply, (result,), None, None)
        # In the asker's context, and from where it asked.
        Py_DECREF(<object>task.context)
        task.context = keep(context)
        Py_XDECREF(<PyObject*>task.code)
        task.code = keep(<object>asked.code) if asked.code is not NULL else NULL
        task.instruction = asked.instruction
        (<TaskSequence>origin)._push(task)
    except ShutdownError:
        return 0  # the asker is gone; a reply is skipped like any task queued there
    return 0


cdef int free_call(CallTask* call) except -1:
    """Deletes a task at once, without the detour over the release list."""
    cdef void* objects[7]
    cdef int i
    objects[0] = call.callable
    objects[1] = call.arguments
    objects[2] = call.keywords
    objects[3] = call.context
    objects[4] = call.code
    objects[5] = call.extra
    objects[6] = call.runner
    call.callable = call.arguments = call.keywords = call.context = NULL
    call.code = call.extra = call.runner = NULL
    del call
    for i in range(7):
        Py_XDECREF(<PyObject*>objects[i])
    after_call()
    return 0


cdef int discard_task(Task* task) except -1:
    """Frees a task that will never run. Its future is cancelled."""
    cdef CallTask* call
    if task.target is not NULL:
        del task
        return 0
    call = <CallTask*>task
    try:
        if call.mode == TaskMode.kSubmit:
            future = <object>call.extra
            if future.cancel():
                future.set_running_or_notify_cancel()
        elif call.mode == TaskMode.kDelayed:
            (<TaskHandle>call.extra)._forget()
        elif call.mode == TaskMode.kTurn:
            (<Mailbox>call.callable)._on_runner_gone()
    except BaseException:
        write_unraisable(<object>call.callable)  # a done callback
    free_call(call)
    return 0


cdef uint64_t discard_all(Task* task) except? 0xFFFFFFFF:
    """Returns how many of them would have run."""
    cdef Task* following
    cdef uint64_t count = 0
    while task is not NULL:
        following = task.next
        count += counts(task)
        discard_task(task)
        task = following
    after_call()
    return count


cdef int counts(Task* task) except -1:
    """1 for a posted task that nobody has cancelled, else 0."""
    cdef CallTask* call
    if task.target is not NULL:
        return 0
    call = <CallTask*>task
    if call.mode == TaskMode.kSubmit:
        return not (<object>call.extra).cancelled()
    if call.mode == TaskMode.kDelayed:
        return (<TaskHandle>call.extra)._sequence is not None
    return 1


cdef int report_error(TaskSequence runner, object error, object task, void* code,
                      int instruction) except -1:
    """Hands an exception of a task to the runner's handler, by default to logging."""
    posted_from = "unknown"
    if code is not NULL:
        line = PyCode_Addr2Line(<PyCodeObject*>code, instruction)
        posted_from = f"{(<object>code).co_filename}:{line}"
    try:
        if runner._exception_handler is not None:
            runner._exception_handler(TaskError(error, task, posted_from, runner))
            return 0
        runner._uncaught(TaskError(error, task, posted_from, runner))
        import logging
        logging.getLogger("mojo_seq").error(
            "task %r on %r, posted from %s, raised", task, runner, posted_from, exc_info=error)
    except BaseException:
        write_unraisable(task)
    return 0
