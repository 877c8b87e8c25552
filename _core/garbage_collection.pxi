# What the engine holds of Python objects, shown to the garbage collector.
#
# Unread messages of a pipe may hold objects (lazily serialized ones), and a loop's queue holds
# tasks. Such an object may refer back to the pipe or the loop; without this, the cycle through the
# engine's queue would be invisible, and never collected. A queue is reachable only through the
# handle that reads it, so it is that handle's class that visits it. What breaks such a cycle is the
# class's __del__, which empties the queue.
#
# Pool sequences are left out on purpose: there the threads are the ones that keep the queue.

cdef extern from "Python.h":
    ctypedef int (*visitproc)(PyObject* object, void* arg) noexcept nogil
    ctypedef int (*traverseproc)(PyObject* self, visitproc visit, void* arg) noexcept
    ctypedef struct PyTypeObject:
        traverseproc tp_traverse

cdef struct Visit:
    visitproc visit
    void* arg

cdef traverseproc traverse_pipe_fields = (<PyTypeObject*>MessagePipeHandle).tp_traverse
cdef traverseproc traverse_message_fields = (<PyTypeObject*>Message).tp_traverse
cdef traverseproc traverse_loop_fields = (<PyTypeObject*>LoopSequence).tp_traverse
cdef traverseproc traverse_fd_fields = (<PyTypeObject*>FdSequence).tp_traverse


cdef int visit_context(void* context, void* arg) noexcept nogil:
    cdef Visit* visit = <Visit*>arg
    return visit.visit(<PyObject*>context, visit.arg)


cdef int visit_task(Task* task, void* arg) noexcept nogil:
    cdef Visit* visit = <Visit*>arg
    cdef CallTask* call
    cdef void* objects[6]
    cdef int i, stop
    if task.target is not NULL:
        return 0
    call = <CallTask*>task
    objects[0] = call.callable
    objects[1] = call.arguments
    objects[2] = call.keywords
    objects[3] = call.context
    objects[4] = call.extra
    objects[5] = call.runner
    for i in range(6):
        if objects[i] is not NULL:
            stop = visit.visit(<PyObject*>objects[i], visit.arg)
            if stop != 0:
                return stop
    return 0


cdef int traverse_pipe(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef Visit through
    cdef int stop = traverse_pipe_fields(self, visit, arg)
    cdef Dispatcher* dispatcher = (<Handle>self)._dispatcher
    if stop != 0 or dispatcher is NULL or dispatcher.value() != (<Handle>self)._value:
        return stop
    through.visit = visit
    through.arg = arg
    return (<MessagePipeEndpoint*>dispatcher).VisitContexts(visit_context, &through)


cdef int traverse_message(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef Visit through
    cdef int stop = traverse_message_fields(self, visit, arg)
    if stop != 0 or (<Message>self)._message is NULL:
        return stop
    through.visit = visit
    through.arg = arg
    return VisitCarriedContexts((<Message>self)._message, visit_context, &through)


cdef int traverse_loop(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef int stop = traverse_loop_fields(self, visit, arg)
    return stop if stop != 0 else traverse_tasks(self, visit, arg)


cdef int traverse_fd(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef int stop = traverse_fd_fields(self, visit, arg)
    return stop if stop != 0 else traverse_tasks(self, visit, arg)


cdef int traverse_tasks(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef Visit through
    cdef int stop
    if (<_LoopSequence>self)._sequence is NULL:
        return 0
    through.visit = visit
    through.arg = arg
    stop = (<_LoopSequence>self)._sequence.VisitTasks(visit_task, &through)
    if stop != 0:
        return stop
    return (<_LoopSequence>self)._scheduler.VisitTimers(visit_task, &through)


(<PyTypeObject*>MessagePipeHandle).tp_traverse = traverse_pipe
(<PyTypeObject*>Message).tp_traverse = traverse_message
(<PyTypeObject*>LoopSequence).tp_traverse = traverse_loop
(<PyTypeObject*>FdSequence).tp_traverse = traverse_fd
