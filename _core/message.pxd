# engine/message.h
from libc.stdint cimport uint8_t, uint32_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from dispatcher cimport Dispatcher, HandleValue, Ref, RefCounted, c_Result


cdef extern from "engine/message.h" namespace "mojo_seq" nogil:
    const size_t kMaxMessageHandles
    size_t MaxMessageBytes()
    void SetMaxMessageBytes(size_t nbytes)

    cdef cppclass Payload(RefCounted):
        @staticmethod
        Ref[Payload] Allocate(size_t capacity, cbool zeroed)
        uint8_t* data()
        size_t capacity()

    cdef cppclass c_Message "mojo_seq::Message":
        c_Message* next
        Ref[Payload] payload
        size_t size
        void* context
        void (*release)(void*) noexcept
        uint32_t sender
        vector[Ref[Dispatcher]] dispatchers

    void DestroyMessage "mojo_seq::Message::Destroy"(c_Message* message)

    cdef cppclass MessageList:
        cbool empty()
        void Push(c_Message* message)
        c_Message* Pop()

    cdef cppclass Attachment:
        void Add(Dispatcher* dispatcher, HandleValue value)
        size_t size()
        c_Result Begin(size_t* blamed)
        void MoveInto(c_Message* message)
        void Abort()
        void Commit()
