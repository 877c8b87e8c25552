# engine/message_pipe.h
from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool
from libcpp.unordered_map cimport unordered_map
from libcpp.vector cimport vector

from dispatcher cimport Dispatcher, HandleValue, Ref, c_Result
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
        int VisitContexts(ContextVisit visit, void* arg)

    void CreateMessagePipePair "mojo_seq::MessagePipeEndpoint::CreatePair"(
        Ref[MessagePipeEndpoint]* a, Ref[MessagePipeEndpoint]* b)
    c_Result FuseMessagePipes "mojo_seq::MessagePipeEndpoint::Fuse"(
        MessagePipeEndpoint* a, HandleValue a_value, MessagePipeEndpoint* b, HandleValue b_value,
        Serialization* serialization)
    int VisitCarriedContexts "mojo_seq::MessagePipeEndpoint::VisitCarriedContexts"(
        const c_Message* message, ContextVisit visit, void* arg)
