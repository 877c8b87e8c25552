// Message pipe: two endpoints, each with the queue of messages that are for it.
//
// Both endpoints of a pipe share one mutex (a stripe, see Dispatcher), so that a write needs one
// lock and sees both sides. Only fusing and joining hold two.
//
// An endpoint whose peer is in another process has a channel instead of a peer. Of what it has
// received, whole messages are in the queue like those of a local peer (message_pipe_remote.cc).
#pragma once

#include <unordered_map>

#include "channel.h"
#include "message.h"

namespace mojo_seq {

class BundleReader;

// Messages that stand for unserialized ones, by their context.
using SerializedMessages = std::unordered_map<void*, Message*>;

// Puts what stands for `message` into it, and gives up its object. False: there is nothing.
bool UseSerialized(Message* message, const SerializedMessages& serialized);

// For a write that leaves the process.
struct Serialization {
  SerializedMessages messages;       // given: used up by a write that succeeds
  std::vector<void*> unserialized;   // on kUnimplemented: what must be added
};

class MessagePipeEndpoint : public Dispatcher {
 public:
  static void CreatePair(Ref<MessagePipeEndpoint>* a, Ref<MessagePipeEndpoint>* b);
  // An end whose peer is whoever holds the other end of the socket.
  static Ref<MessagePipeEndpoint> FromSocket(ScopedFd fd);

  // On kOk the message belongs to the pipe and the handles of `attachment` (may be null) travel
  // in it. On failure everything is unchanged and still the caller's:
  // kInvalidArgument  this handle is dead; a handle is dead, a watcher, this pipe's peer, or
  //                   carries this pipe's peer somewhere in its unread messages
  // kBusy             a handle is in two-phase I/O, listed twice, or this one
  // kFailedPrecondition  the peer is closed
  // kUnimplemented   the message, or one that travels with a handle, leaves the process and is not
  //                  serialized: see Serialization
  // kResourceExhausted  no descriptors for handles that leave the process
  // kPermissionDenied   an unsealed shared buffer leaves the process
  // `*blamed` is the index of the attached handle at fault, or SIZE_MAX if none is.
  Result Write(HandleValue value, Message* message, Attachment* attachment, size_t* blamed,
               Serialization* serialization = nullptr);
  // All of the list or nothing. None of the messages may carry handles, all are serialized.
  Result WriteBatch(HandleValue value, MessageList* messages);
  // kShouldWait: nothing there; kFailedPrecondition: nothing there and the peer is closed.
  // kResourceExhausted: the next message has more descriptors than can be opened; it stays.
  Result Read(HandleValue value, Message** message);
  Result ReadBatch(HandleValue value, size_t max_messages, MessageList* messages);

  // --- straight through a ring (message_pipe_quick.cc) ---
  // Small messages without handles, as bytes of the caller's. Nothing here waits, and what cannot be
  // done at once has changed nothing: then it is done the usual way. A hint: whether to try.
  bool MayBeQuick() const { return quick_.load(std::memory_order_relaxed); }
  // All of the messages, each of up to kMostInRing bytes, or none. kUnavailable: none; kBusy: none,
  // for there is no room. kFailedPrecondition: the peer is gone.
  Result WriteQuickly(HandleValue value, const ByteSpan* messages, size_t count);
  // After kBusy. Waits some microseconds, if somebody is just reading: that is less than another way
  // takes. True: so many bytes may fit now. The caller must not hold the embedder's lock.
  bool AwaitRoom(HandleValue value, size_t nbytes);
  // Whether the next message is in the ring, and then the state.
  bool LookInRing(HandleValue value, SignalsState* state);
  // The same, waiting awake for it as long as that may pay. Without the embedder's lock.
  bool AwaitInRing(HandleValue value, SignalsState* state);
  // Whether there is something to read, or no more will come. IsNews knows of the queue only, HasNews
  // looks everywhere. AwaitNews waits awake for it as long as that may pay; without the embedder's lock.
  bool IsNews(HandleValue value);
  bool HasNews(HandleValue value);
  bool AwaitNews(HandleValue value);
  // Whether it would wait at all, as far as is known: who answers is at work on another processor.
  bool WantsToSpin();
  // A thread has slept since `begin`, and what it waited for has come.
  void Slept(Time begin) { spinner().Slept(begin, SentAt(), PeerProcessor()); }

  // As long as what is returned lives, a foreign loop may sleep at any time, without ArmDoorbell, and
  // the other process always says if something happens. Null: the pipe is gone.
  Ref<RefCounted> KeepArmed(HandleValue value);
  // Nobody sleeps on the pipe from now on who does not arm it before. A hint, which waits for nobody.
  void DisarmDoorbell();

  // While it lives nobody else reads from the pipe. It holds locks: only look, copy and pop.
  class QuickReader {
   public:
    QuickReader(MessagePipeEndpoint* endpoint, HandleValue value);
    ~QuickReader();
    QuickReader(const QuickReader&) = delete;
    QuickReader& operator=(const QuickReader&) = delete;

    // False: there is none in the ring. The data can change while it is copied; the size does not.
    bool Look(const uint8_t** data, size_t* nbytes);
    void Pop() { ring_->Pop(); }
    uint32_t sender() const { return ring_->process(); }

   private:
    const Lock lock_;
    Channel* channel_ = nullptr;  // null: there is no ring, or it is in use
    RingReader* ring_ = nullptr;  // set by Look
  };

  // Joins the peers of `a` and `b`, whose handles end. Nothing changes on failure.
  // kFailedPrecondition: the two are one pipe, or one of them has been written to.
  // kAborted: a pipe would end up inside itself.
  // kUnimplemented: what is unread leaves the process and is not serialized: see Serialization
  static Result Fuse(MessagePipeEndpoint* a, HandleValue a_value, MessagePipeEndpoint* b,
                     HandleValue b_value, Serialization* serialization = nullptr);

  // Calls `visit` with the context of every unread message here, also of those in the queues of
  // pipes that unread messages carry. For the binding's garbage collector. Stops at non-zero.
  using ContextVisit = int (*)(void* context, void* arg);
  int VisitContexts(ContextVisit visit, void* arg);
  // The same for the pipes that one message carries.
  static int VisitCarriedContexts(const Message* message, ContextVisit visit, void* arg);

  // True if the peer is in another process.
  bool IsRemote() const;
  // The number of its socket, for Segment::Allocate; 0 if the peer is in this process.
  uint64_t PipeNumber() const;

  // --- leaving and arriving; see Departure ---
  // From now on, until it has left or not, messages for it must be serialized.
  void MarkLeaving(bool leaving);
  // Its unread messages, and its peer if that is in this process. In transit.
  Ref<MessagePipeEndpoint> Unread(std::vector<Message*>* messages);
  // Makes of two peers two ends with a socket each. What was unread at `leaving` is taken out; the
  // channel of `staying` is returned with its send mutex locked, for that to be sent first. Without
  // `unread` both ends leave, and neither happens.
  static Ref<Channel> Separate(MessagePipeEndpoint* leaving, MessagePipeEndpoint* staying,
                               ScopedFd leaving_fd, ScopedFd staying_fd, MessageList* unread);
  // Its peer has left. False: it has been closed meanwhile, and the channel is nobody's.
  bool OnMoved(const Channel* channel);
  void Pack(BundleWriter* writer) override;
  static Ref<Dispatcher> Unpack(BundleReader* reader);
  void OnArrived() override;

  Ref<SharedFd> WaitDescriptor(HandleValue value, short* events) override;
  void LookForNews(short events = kNotPolled) override;
  void LookQuickly() override;
  void ArmDoorbell() override;
  int PeerProcessor() const override;
  Time SentAt() const override;
  void OnIo(uint32_t events) override;
  size_t Unsent() const override;

 protected:
  SignalsState StateLocked() const override;
  void CloseLocked(Garbage* garbage) override;

 private:
  explicit MessagePipeEndpoint(std::mutex* lock) : Dispatcher(HandleType::kMessagePipe, lock) {}

  Result PushLocked(HandleValue value, Message* message);
  Result PushBatchLocked(HandleValue value, MessageList* messages);
  Result WriteLocal(HandleValue value, Message* message, Attachment* attachment, size_t* blamed);
  Result BeginAttachment(HandleValue value, Message* message, Attachment* attachment,
                         size_t* blamed);

  // --- remote ---
  bool IsConnectedLocked() const { return peer_ || (channel_ && !hung_up_); }
  Ref<Channel> channel(HandleValue value) const;
  Result ReadOne(HandleValue value, Message** message);
  Result ReadSome(HandleValue value, size_t max_messages, MessageList* messages);
  void TakeLocked(size_t max_messages, MessageList* messages);
  Result Receive(HandleValue value, Channel* channel, size_t max_messages, MessageList* messages);
  Result SendBatch(HandleValue value, Channel* channel, MessageList* messages);
  Result SendPlain(HandleValue value, Message* message);
  Result SendWithHandles(HandleValue value, Message* message, Attachment* attachment,
                         size_t* blamed, Serialization* serialization);
  Result CheckSend(HandleValue value, const Channel* channel);
  void OnSent(Channel* channel, Result result, bool waited = false);
  Channel* QuickLocked(HandleValue value) const;
  // Moves what has arrived into the queue. The result is that of Channel::Receive.
  Result Pull(Channel* channel);
  void Refill(Channel* channel);
  void TakeArrivedLocked(const Channel* channel, MessageList* messages, Garbage* garbage);
  void DetachLocked(Garbage* garbage);
  void UpdateInterest();
  bool WatchSocket(Channel* remote);
  void OnObserversChanged() override { UpdateInterest(); }

  // --- the two ends of a pipe between processes meet in one ---
  void AttendLocked();
  Ref<RefCounted> AbsentLocked(const Channel* channel);
  static Ref<MessagePipeEndpoint> FindOtherEnd(const Channel* channel);
  static bool DrainBoth(Channel* a, Channel* b, MessageList* to_a, MessageList* to_b);
  void JoinOtherEnd();
  static void JoinArrived(const Message* message);

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
  static Result CheckFuseLocked(const MessagePipeEndpoint* a, HandleValue a_value,
                                const MessagePipeEndpoint* b, HandleValue b_value);
  static Result FuseRemote(MessagePipeEndpoint* a, HandleValue a_value, Ref<Channel> a_channel,
                           MessagePipeEndpoint* b, HandleValue b_value,
                           Serialization* serialization);
  // Messages that may hold a context, at any depth: what the garbage collector must look at.
  static bool MayHoldContext(const Message* message) {
    return message->context != nullptr || !message->dispatchers.empty();
  }

  // Holds the locks of two endpoints, which may be one lock.
  class PairLock {
   public:
    PairLock(MessagePipeEndpoint* a, MessagePipeEndpoint* b);

   private:
    std::unique_lock<std::mutex> first_;
    std::unique_lock<std::mutex> second_;
  };

  MessageList queue_;              // lock_: unread messages for this endpoint
  size_t visitable_ = 0;           // lock_: how many of them MayHoldContext
  Ref<MessagePipeEndpoint> peer_;  // lock_: null once either end is closed, and if it is remote
  Ref<Channel> channel_;           // lock_: null unless the peer is remote and not known to be gone
};

// Held while a pipe is put into a message and the message into a queue, so that two threads
// cannot make a pipe carry itself by each doing one half of it; and while pipes change between
// local and remote. Taken before any other lock but the io mutexes of data pipes.
std::mutex& TransitMutex();

}  // namespace mojo_seq
