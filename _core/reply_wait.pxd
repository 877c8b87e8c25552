from dispatcher cimport Ref, RefCounted, Time
from sequence cimport Wake


cdef extern from "reply_wait.h" namespace "mojo_seq" nogil:
    cdef cppclass c_Event "mojo_seq::Event"(RefCounted):
        void Reset()
    c_Event* ThreadEvent()
    Wake SleepUntilSet(c_Event* event, Time deadline)
    void WakeSleeper(const Ref[c_Event]& event)
