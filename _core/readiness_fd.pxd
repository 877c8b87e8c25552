# engine/readiness_fd.h
from libcpp cimport bool as cbool

from dispatcher cimport Dispatcher, HandleValue, Ref, RefCounted, c_Result


cdef extern from "engine/readiness_fd.h" namespace "mojo_seq" nogil:
    cdef cppclass ReadinessFd(RefCounted):
        int fd()
        cbool WantsToSpin(const Dispatcher* dispatcher)
        cbool Spin(Dispatcher* dispatcher, HandleValue value)
        void OnWoken(const Dispatcher* dispatcher)
    c_Result CreateReadinessFd "mojo_seq::ReadinessFd::Create"(
        Dispatcher* dispatcher, HandleValue value, Ref[ReadinessFd]* made)
