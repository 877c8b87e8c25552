# engine/message_pipe.h
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.unordered_map cimport unordered_map
from libcpp.vector cimport vector

from dispatcher cimport Dispatcher, HandleValue, Ref, Time, c_Result, c_SignalsState
from message cimport Attachment, MessageList, c_Message


cdef extern from "engine/message_pipe.h" namespace "mojo_seq" nogil:
    ctypedef int (*ContextVisit "mojo_seq::MessagePipeEndpoint::ContextVisit")(
        void* context, void* arg) noexcept

    cdef cppclass Serialization:
        unordered_map[void*, c_Message*] messages
        vector[void*] unserialized

    cdef cppclass MessagePipeEndpoint(Dispatcher):
        c_Result Write(HandleValue value, c_Message* message, Attachment* attachment,
                       size_t* blamed)
        c_Result Write(HandleValue value, c_Message* message, Attachment* attachment,
                       size_t* blamed, Serialization* serialization)
        cbool IsRemote()
        uint64_t PipeNumber()
        c_Result WriteBatch(HandleValue value, MessageList* messages)
        c_Result Read(HandleValue value, c_Message** message)
        c_Result ReadBatch(HandleValue value, size_t max_messages, MessageList* messages)
        cbool MayBeQuick()
        cbool LookInRing(HandleValue value, c_SignalsState* state)
        cbool AwaitInRing(HandleValue value, c_SignalsState* state)
        cbool AwaitNews(HandleValue value)
        cbool WantsToSpin()
        void Slept(Time begin)
        int VisitContexts(ContextVisit visit, void* arg)

    void CreateMessagePipePair "mojo_seq::MessagePipeEndpoint::CreatePair"(
        Ref[MessagePipeEndpoint]* a, Ref[MessagePipeEndpoint]* b)
    c_Result FuseMessagePipes "mojo_seq::MessagePipeEndpoint::Fuse"(
        MessagePipeEndpoint* a, HandleValue a_value, MessagePipeEndpoint* b, HandleValue b_value,
        Serialization* serialization)
    int VisitCarriedContexts "mojo_seq::MessagePipeEndpoint::VisitCarriedContexts"(
        const c_Message* message, ContextVisit visit, void* arg)


cdef extern from "ring_bytes.h" namespace "mojo_seq":
    cbool WriteBytes(MessagePipeEndpoint* endpoint, HandleValue value, const char* data,
                     size_t nbytes)
    cbool WriteAllBytes(MessagePipeEndpoint* endpoint, HandleValue value, object objects)
    int ReadBytes(MessagePipeEndpoint* endpoint, HandleValue value, PyObject** objects, int most,
                  uint32_t* sender) except -1
