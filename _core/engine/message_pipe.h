// Message pipe: two endpoints, each with the queue of messages that are for it.
//
// Both endpoints of a pipe share one mutex (a stripe, see Dispatcher), so that a write needs one
// lock and sees both sides. Fusing is the only operation that holds two.
#pragma once

#include "message.h"

namespace mojo_seq {

class MessagePipeEndpoint : public Dispatcher {
 public:
  static void CreatePair(Ref<MessagePipeEndpoint>* a, Ref<MessagePipeEndpoint>* b);

  // On kOk the message belongs to the pipe and the handles of `attachment` (may be null) travel
  // in it. On failure everything is unchanged and still the caller's:
  // kInvalidArgument  this handle is dead; a handle is dead, a watcher, this pipe's peer, or
  //                   carries this pipe's peer somewhere in its unread messages
  // kBusy             a handle is in two-phase I/O, listed twice, or this one
  // kFailedPrecondition  the peer is closed
  // `*blamed` is the index of the attached handle at fault, or SIZE_MAX if none is.
  Result Write(HandleValue value, Message* message, Attachment* attachment, size_t* blamed);
  // All of the list or nothing. None of the messages may carry handles.
  Result WriteBatch(HandleValue value, MessageList* messages);
  // kShouldWait: nothing there; kFailedPrecondition: nothing there and the peer is closed.
  Result Read(HandleValue value, Message** message);
  Result ReadBatch(HandleValue value, size_t max_messages, MessageList* messages);

  // Joins the peers of `a` and `b`, whose handles end. Nothing changes on failure.
  // kFailedPrecondition: the two are one pipe, or one of them has been written to.
  // kAborted: a pipe would end up inside itself.
  static Result Fuse(MessagePipeEndpoint* a, HandleValue a_value, MessagePipeEndpoint* b,
                     HandleValue b_value);

  // Calls `visit` with the context of every unread message here, also of those in the queues of
  // pipes that unread messages carry. For the binding's garbage collector. Stops at non-zero.
  using ContextVisit = int (*)(void* context, void* arg);
  int VisitContexts(ContextVisit visit, void* arg);
  // The same for the pipes that one message carries.
  static int VisitCarriedContexts(const Message* message, ContextVisit visit, void* arg);

 protected:
  SignalsState StateLocked() const override;
  void CloseLocked(Garbage* garbage) override;

 private:
  explicit MessagePipeEndpoint(std::mutex* lock) : Dispatcher(HandleType::kMessagePipe, lock) {}

  Result PushLocked(HandleValue value, Message* message);
  bool IsPeer(HandleValue value, const Dispatcher* other) const;
  // True if `target` is this endpoint or is carried, to any depth, by its unread messages.
  static bool Carries(const Message* message, const Dispatcher* target);
  // The same for what `from` has unread, where `moved_to` is going to have what `moved` has.
  static bool WouldCarry(MessagePipeEndpoint* from, const Dispatcher* target,
                         const Dispatcher* moved_to, MessagePipeEndpoint* moved);
  static bool Reaches(std::vector<Ref<Dispatcher>> work, const Dispatcher* target,
                      const Dispatcher* moved_to, MessagePipeEndpoint* moved);
  void AddCarried(std::vector<Ref<Dispatcher>>* dispatchers);
  void FuseLocked(MessagePipeEndpoint* other, Garbage* garbage);
  // Messages that may hold a context, at any depth: what the garbage collector must look at.
  static bool MayHoldContext(const Message* message) {
    return message->context != nullptr || !message->dispatchers.empty();
  }

  MessageList queue_;              // lock_: unread messages for this endpoint
  size_t visitable_ = 0;           // lock_: how many of them MayHoldContext
  Ref<MessagePipeEndpoint> peer_;  // lock_: null once either end is closed
};

}  // namespace mojo_seq
