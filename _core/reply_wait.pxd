from libcpp cimport bool as cbool

from dispatcher cimport Ref, RefCounted, Time
from sequence cimport Wake


cdef extern from "reply_wait.h" namespace "mojo_seq" nogil:
    cdef cppclass c_Event "mojo_seq::Event"(RefCounted):
        void Reset()
    c_Event* ThreadEvent()
    cdef cppclass Spinner:
        cbool WantsToSpin()
        void Slept(Time begin, Time ended, int waker)
    Spinner* ReplySpinner()
    Wake SleepUntilSet(c_Event* event, Time deadline)
    void SpinUntilSet(c_Event* event)
    Time* LastTurn()
    int CurrentProcessor()
    void WakeSleeper(const Ref[c_Event]& event)
