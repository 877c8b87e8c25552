# system_thread.h
from dispatcher cimport Ref
from message_pipe cimport MessagePipeEndpoint


cdef extern from "system_thread.h" namespace "mojo_seq" nogil:
    void StopSystemThread()
    Ref[MessagePipeEndpoint] AdoptSocket(int fd)
    void StartLifeline(int fd)
