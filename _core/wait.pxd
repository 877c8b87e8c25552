# engine/{wait,wait_set}.h
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from dispatcher cimport (
    Dispatcher, HandleValue, Ref, RefCounted, Time, c_Result, c_Signals, c_SignalsState,
)


cdef extern from "engine/wait.h" namespace "mojo_seq" nogil:
    cdef cppclass Waiter:
        Waiter()
        c_Result Add(Dispatcher* dispatcher, HandleValue value, c_Signals signals)
        c_Result Wait(Time deadline)
        c_Result Look()
        size_t index()
        c_Result result()
        c_SignalsState state(size_t index)


cdef extern from "engine/wait_set.h" namespace "mojo_seq" nogil:
    cdef cppclass c_WaitableEvent "mojo_seq::WaitableEvent"(RefCounted):
        c_WaitableEvent(cbool manual_reset, cbool signaled)
        void Signal()
        void Reset()
        cbool IsSignaled()
        c_Result Wait(Time deadline)
        cbool TryTake()

    cdef cppclass c_ReadyHandle "mojo_seq::ReadyHandle":
        HandleValue value
        c_Result result
        c_SignalsState state

    cdef cppclass c_WaitSet "mojo_seq::WaitSet"(RefCounted):
        c_WaitSet()
        c_Result AddHandle(Ref[Dispatcher] dispatcher, HandleValue value, c_Signals signals)
        c_Result RemoveHandle(HandleValue value)
        c_Result AddEvent(Ref[c_WaitableEvent] event)
        c_Result RemoveEvent(c_WaitableEvent* event)
        c_Result Wait(size_t max_ready, Time deadline, Ref[c_WaitableEvent]* event,
                      vector[c_ReadyHandle]* ready)
        cbool Look(size_t max_ready, Ref[c_WaitableEvent]* event, vector[c_ReadyHandle]* ready)
