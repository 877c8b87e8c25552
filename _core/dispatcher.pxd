# engine/{result,signals,ref,live_count,notification,release_list,event,dispatcher}.h
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector


cdef extern from "engine/result.h" namespace "mojo_seq" nogil:
    cdef enum class c_Result "mojo_seq::Result":
        kOk
        kCancelled
        kUnknown
        kInvalidArgument
        kDeadlineExceeded
        kNotFound
        kAlreadyExists
        kPermissionDenied
        kResourceExhausted
        kFailedPrecondition
        kAborted
        kOutOfRange
        kUnimplemented
        kInternal
        kUnavailable
        kDataLoss
        kBusy
        kShouldWait


cdef extern from "engine/signals.h" namespace "mojo_seq" nogil:
    ctypedef uint32_t c_Signals "mojo_seq::Signals"
    cdef cppclass c_SignalsState "mojo_seq::SignalsState":
        c_Signals satisfied
        c_Signals satisfiable
    c_Result Verdict(const c_SignalsState& state, c_Signals signals)


cdef extern from "engine/ref.h" namespace "mojo_seq" nogil:
    cdef cppclass Ref[T]:
        Ref()
        Ref(T* object)
        T* get()
        T* Detach()
    cdef cppclass RefCounted:
        cbool HasOneRef()
        void AddRef()
        void Release()


cdef extern from "engine/live_count.h" namespace "mojo_seq" nogil:
    cdef enum class Kind:
        kHandle
        kDispatcher
        kMessage
        kPayload
        kDataPipe
        kMapping
        kWatch
        kWaitSet
        kSequence
        kTask
        kChannel
    int64_t LiveCount(Kind kind)


cdef extern from "engine/event.h" namespace "mojo_seq" nogil:
    ctypedef int64_t Time
    Time kNever
    Time Now()


cdef extern from "engine/notification.h" namespace "mojo_seq" nogil:
    cbool HasPendingDispatch()
    # Handlers may run Python: with the GIL held, or from a thread that has none.
    void DispatchPending()
    void FlushWakes()
    void StopSystemNotifications()


cdef extern from "engine/release_list.h" namespace "mojo_seq" nogil:
    cbool HasReleases()
    void ReleaseLater(void* object)
    vector[void*] TakeReleases()


cdef extern from "engine/dispatcher.h" namespace "mojo_seq" nogil:
    ctypedef uint64_t HandleValue
    cdef enum class HandleType:
        kMessagePipe
        kDataPipeProducer
        kDataPipeConsumer
        kSharedBuffer
        kPlatformHandle
        kWatcher
        kSharedSegment
    cdef cppclass Dispatcher(RefCounted):
        HandleType type()
        HandleValue value()
        cbool IsInherited()
        cbool WasOpenAtFork(HandleValue value)
        cbool IsWatchable()
        HandleValue Adopt()
        c_Result Close(HandleValue value)
        c_Result QueryState(HandleValue value, c_SignalsState* state)
        c_Result QueryState(HandleValue value, c_SignalsState* state, cbool look)
        void CloseInTransit()
