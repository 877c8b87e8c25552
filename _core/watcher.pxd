# engine/watcher.h and the binding's own handler
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from dispatcher cimport Dispatcher, HandleValue, Ref, RefCounted, c_Result, c_Signals, c_SignalsState


cdef extern from "engine/watcher.h" namespace "mojo_seq" nogil:
    ctypedef uint64_t WatchContext

    cdef cppclass c_ReadyWatch "mojo_seq::ReadyWatch":
        WatchContext context
        c_Result result
        c_SignalsState state

    cdef cppclass c_Watcher "mojo_seq::Watcher"(Dispatcher):
        c_Result WatchHandle(HandleValue value, Ref[Dispatcher] dispatcher, HandleValue watched,
                             c_Signals signals, WatchContext context)
        c_Result CancelWatch(HandleValue value, WatchContext context)
        cbool HasWatch(WatchContext context)
        c_Result Arm(HandleValue value, size_t max_ready, vector[c_ReadyWatch]* ready)


cdef extern from "engine/sequence_notifier.h" namespace "mojo_seq" nogil:
    cdef cppclass NotificationTarget(RefCounted):
        NotificationTarget(void* object)
        void* owner


cdef extern from "notification_handler.h" namespace "mojo_seq" nogil:
    ctypedef void (*Deliver)(void* owner, WatchContext context, c_Result result,
                             c_SignalsState state, uint32_t flags) noexcept
    # A watcher that calls `deliver`, which takes the GIL, with the target's owner.
    c_Watcher* NewPythonWatcher(NotificationTarget* target, Deliver deliver)
