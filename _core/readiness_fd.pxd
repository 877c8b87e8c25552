# engine/readiness_fd.h
from libcpp cimport bool as cbool

from dispatcher cimport HandleValue, Ref, RefCounted, c_Result
from message_pipe cimport MessagePipeEndpoint


cdef extern from "engine/readiness_fd.h" namespace "mojo_seq" nogil:
    cdef cppclass ReadinessFd(RefCounted):
        int fd()
        void StayAwake(MessagePipeEndpoint* pipe)
        cbool Spin(MessagePipeEndpoint* pipe, HandleValue value, cbool once)
        cbool FallAsleep(MessagePipeEndpoint* pipe, HandleValue value)
        void OnWoken(MessagePipeEndpoint* pipe)
    c_Result CreateReadinessFd "mojo_seq::ReadinessFd::Create"(
        MessagePipeEndpoint* pipe, HandleValue value, Ref[ReadinessFd]* made)
