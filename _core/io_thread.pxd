# engine/{io_thread,socket,peer_report,fork}.h
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from dispatcher cimport Time


cdef extern from "engine/io_thread.h" namespace "mojo_seq" nogil:
    cdef cppclass Unsent "mojo_seq::IoThread::Unsent":
        size_t messages
        size_t pipes
    cdef cppclass IoThread:
        Unsent Flush(Time deadline)
        void Stop()
    IoThread* ExistingIoThread "mojo_seq::IoThread::IfMade"()


cdef extern from "engine/socket.h" namespace "mojo_seq" nogil:
    cbool IsConnectedSocket(int fd)
    uint64_t InitialDescriptorLimit()


cdef extern from "engine/peer_report.h" namespace "mojo_seq" nogil:
    vector[uint32_t] TakeBadPeers()


cdef extern from "engine/fork.h" namespace "mojo_seq" nogil:
    uint32_t ForkGeneration()
    void AfterForkInChild()
