# What every call owes at its end: notifications are dispatched and references that the engine let
# go of are given up, with no lock held.

cdef extern from "notification_handler.h" namespace "mojo_seq" nogil:
    void InstallGilHooks()

cdef extern from "Python.h":
    void PyErr_Fetch(PyObject** type, PyObject** value, PyObject** traceback)
    void PyErr_Restore(PyObject* type, PyObject* value, PyObject* traceback)
    void PyErr_WriteUnraisable(PyObject* context)
    int PyErr_ResourceWarning(object source, Py_ssize_t stack_level, const char* format, ...)

InstallGilHooks()

cdef bint draining = False  # owned by the GIL


cdef inline int after_call() noexcept:
    if HasPendingDispatch():
        DispatchPending()
    if HasReleases():
        drain_releases()
    return 0


cdef int after_call_in_dealloc() noexcept:
    """The same in a __dealloc__, where an exception may be on its way: it is kept.

    Only for classes without weak references: this may run Python and let other threads run, which
    must have no way to get hold of an object that is half gone. The other classes do their work in
    __del__, while they are whole.
    """
    cdef PyObject* type = NULL
    cdef PyObject* value = NULL
    cdef PyObject* traceback = NULL
    if not HasPendingDispatch() and not HasReleases():
        return 0
    PyErr_Fetch(&type, &value, &traceback)
    if HasPendingDispatch():
        DispatchPending()
    if HasReleases():
        drain_releases()
    PyErr_Restore(type, value, traceback)
    return 0


cdef int drain_releases() noexcept:
    """Gives up references. What that destroys may release more: a loop, so that objects nested
    in one another through queued messages do not nest on the stack."""
    global draining
    cdef vector[void*] objects
    cdef size_t i
    if draining:
        return 0
    draining = True
    while HasReleases():
        objects = TakeReleases()
        for i in range(objects.size()):
            Py_DECREF(<object>objects[i])
        drain_bad_peers()
    draining = False
    return 0


def live_objects():
    """How many engine objects of each kind are alive in this process.

    Returns:
        dict[str, int]: by kind. After everything is closed and collected, all are 0.
    """
    drain_releases()
    return {
        "handle": LiveCount(Kind.kHandle),
        "dispatcher": LiveCount(Kind.kDispatcher),
        "message": LiveCount(Kind.kMessage) + small_messages,
        "payload": LiveCount(Kind.kPayload),
        "data_pipe": LiveCount(Kind.kDataPipe),
        "mapping": LiveCount(Kind.kMapping),
        "watch": LiveCount(Kind.kWatch),
        "wait_set": LiveCount(Kind.kWaitSet),
        "sequence": LiveCount(Kind.kSequence),
        "task": LiveCount(Kind.kTask),
        "channel": LiveCount(Kind.kChannel),
    }
