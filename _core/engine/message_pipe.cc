#include "message_pipe.h"

#include <unordered_set>

namespace mojo_seq {

std::mutex& TransitMutex() {
  static ForkLocal<std::mutex> mutex;
  return mutex.Get();
}

bool UseSerialized(Message* message, const SerializedMessages& serialized) {
  if (message->IsSerialized()) return true;
  auto it = serialized.find(message->context);
  if (it == serialized.end()) return false;
  Message* const made = it->second;
  if (message->release) message->release(message->context);
  message->context = nullptr;
  message->release = nullptr;
  message->payload = std::move(made->payload);
  message->size = made->size;
  message->dispatchers = std::move(made->dispatchers);
  made->size = 0;
  made->dispatchers.clear();
  return true;
}

void MessagePipeEndpoint::CreatePair(Ref<MessagePipeEndpoint>* a, Ref<MessagePipeEndpoint>* b) {
  std::mutex* const lock = PickStripe();
  *a = Ref<MessagePipeEndpoint>::Adopt(new MessagePipeEndpoint(lock));
  *b = Ref<MessagePipeEndpoint>::Adopt(new MessagePipeEndpoint(lock));
  (*a)->peer_ = *b;
  (*b)->peer_ = *a;
}

SignalsState MessagePipeEndpoint::StateLocked() const {
  const Signals readable = queue_.empty() && !stuck_ ? kSignalNone : kSignalReadable;
  if (!IsConnectedLocked()) {
    // With a channel there may be more to come, though nothing can be written any more.
    const Signals seeable = channel_ ? kSignalReadable : readable;
    return {readable | kSignalPeerClosed, seeable | kSignalPeerClosed};
  }
  return {readable | kSignalWritable | (channel_ ? kSignalPeerRemote : kSignalNone),
          kSignalReadable | kSignalWritable | kSignalPeerClosed | kSignalPeerRemote};
}

bool MessagePipeEndpoint::IsPeer(HandleValue value, const Dispatcher* other) const {
  Lock lock(this);
  return IsOpenLocked(value) && peer_.get() == other;
}

Result MessagePipeEndpoint::PushLocked(HandleValue value, Message* message) {
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  if (channel_) return Result::kUnavailable;  // to be sent
  if (!peer_) return Result::kFailedPrecondition;
  for (const Ref<Dispatcher>& dispatcher : message->dispatchers) {
    if (dispatcher.get() == peer_.get()) return Result::kInvalidArgument;
  }
  if (peer_->leaving_ && !message->IsSerialized()) return Result::kUnimplemented;
  written_ = true;
  peer_->queue_.Push(message);
  if (MayHoldContext(message)) ++peer_->visitable_;
  peer_->NotifyLocked();
  return Result::kOk;
}

Result MessagePipeEndpoint::Write(HandleValue value, Message* message, Attachment* attachment,
                                  size_t* blamed, Serialization* serialization) {
  *blamed = SIZE_MAX;
  const bool attaching = attachment && attachment->size() > 0;
  if (!attaching && message->dispatchers.empty()) {
    Result result;
    {
      Lock lock(this);
      result = PushLocked(value, message);
    }
    if (result == Result::kUnimplemented && serialization) {
      // Its peer is just leaving. Once it is serialized there is nothing that it could be late for.
      if (UseSerialized(message, serialization->messages)) {
        return Write(value, message, attachment, blamed, serialization);
      }
      serialization->unserialized = {message->context};
    }
    if (result != Result::kUnavailable) return result;
    if (message->IsSerialized()) return SendPlain(value, message);
  }
  for (;;) {
    Channel::Guard transit(TransitMutex());
    if (this->value() != value) return Result::kInvalidArgument;
    const Result result =
        channel(value) ? SendWithHandles(value, message, attachment, blamed, serialization)
                       : WriteLocal(value, message, attachment, blamed);
    // It became local or remote in between; nothing was done.
    if (result != Result::kUnavailable) return result;
  }
}

// Takes the handles and puts them into the message. With the transit mutex.
Result MessagePipeEndpoint::BeginAttachment(HandleValue value, Message* message,
                                            Attachment* attachment, size_t* blamed) {
  for (*blamed = 0; *blamed < attachment->size(); ++*blamed) {
    if (IsPeer(value, attachment->at(*blamed))) return Result::kInvalidArgument;
  }
  // This handle itself is alive, so Begin would take it: it goes after all that is invalid.
  size_t self = 0;
  while (self < attachment->size() && attachment->at(self) != this) ++self;
  const Result result =
      self < attachment->size() ? attachment->Check(blamed) : attachment->Begin(blamed);
  if (result != Result::kOk) return result;
  if (self < attachment->size()) {
    *blamed = self;
    return Result::kBusy;
  }
  *blamed = SIZE_MAX;
  attachment->MoveInto(message);
  return Result::kOk;
}

Result MessagePipeEndpoint::WriteLocal(HandleValue value, Message* message, Attachment* attachment,
                                       size_t* blamed) {
  const bool attaching = attachment && attachment->size() > 0;
  const size_t carried = message->dispatchers.size();
  if (attaching) {
    const Result result = BeginAttachment(value, message, attachment, blamed);
    if (result != Result::kOk) return result;
  }
  Ref<MessagePipeEndpoint> peer;
  {
    Lock lock(this);
    peer = peer_;
  }
  // Only an endpoint that is itself in a message can be inside what we send.
  Result result = peer && peer->InTransit() && Carries(message, peer.get())
                      ? Result::kInvalidArgument
                      : Result::kOk;
  if (result == Result::kOk) {
    Lock lock(this);
    result = PushLocked(value, message);
  }
  if (!attaching) return result;
  if (result == Result::kOk) {
    attachment->Commit();
  } else {
    message->dispatchers.resize(carried);
    attachment->Abort();
  }
  return result;
}

Result MessagePipeEndpoint::WriteBatch(HandleValue value, MessageList* messages) {
  Ref<Channel> remote;
  {
    Lock lock(this);
    const Result result = PushBatchLocked(value, messages);
    if (result != Result::kUnavailable) return result;
    remote = channel_;
  }
  const Result result = SendBatch(value, remote.get(), messages);
  // It came home in between.
  return result == Result::kUnavailable ? WriteBatch(value, messages) : result;
}

Result MessagePipeEndpoint::PushBatchLocked(HandleValue value, MessageList* messages) {
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  if (channel_) return Result::kUnavailable;
  if (!peer_) return Result::kFailedPrecondition;
  if (messages->empty()) return Result::kOk;
  written_ = true;
  peer_->queue_.Splice(*messages);
  peer_->NotifyLocked();
  return Result::kOk;
}

Result MessagePipeEndpoint::Read(HandleValue value, Message** message) {
  const Result result = ReadOne(value, message);
  if (result == Result::kOk && !(*message)->dispatchers.empty()) JoinArrived(*message);
  return result;
}

Result MessagePipeEndpoint::ReadOne(HandleValue value, Message** message) {
  Ref<Channel> remote;
  {
    Lock lock(this);
    if (!IsOpenLocked(value)) return Result::kInvalidArgument;
    *message = queue_.Pop();
    if (*message) {
      if (MayHoldContext(*message)) --visitable_;
      if (!queue_.empty()) return Result::kOk;
      NotifyLocked();
      if (!channel_ || !NeedsIoLocked()) return Result::kOk;
    } else if (!channel_) {
      return peer_ ? Result::kShouldWait : Result::kFailedPrecondition;
    }
    remote = channel_;
  }
  if (*message) {
    Refill(remote.get());
    return Result::kOk;
  }
  MessageList messages;
  const Result result = Receive(value, remote.get(), 1, &messages);
  if (result == Result::kOk) *message = messages.Pop();
  return result;
}

Result MessagePipeEndpoint::ReadBatch(HandleValue value, size_t max_messages,
                                      MessageList* messages) {
  const Result result = ReadSome(value, max_messages, messages);
  for (const Message* each = messages->head(); each; each = each->next) JoinArrived(each);
  return result;
}

Result MessagePipeEndpoint::ReadSome(HandleValue value, size_t max_messages,
                                     MessageList* messages) {
  Ref<Channel> remote;
  {
    Lock lock(this);
    if (!IsOpenLocked(value)) return Result::kInvalidArgument;
    if (!queue_.empty()) {
      TakeLocked(max_messages, messages);
      if (!queue_.empty() || !channel_ || !NeedsIoLocked()) return Result::kOk;
    } else if (!channel_) {
      return peer_ ? Result::kShouldWait : Result::kFailedPrecondition;
    }
    remote = channel_;
  }
  if (!messages->empty()) {
    Refill(remote.get());
    return Result::kOk;
  }
  return Receive(value, remote.get(), max_messages, messages);
}

void MessagePipeEndpoint::TakeLocked(size_t max_messages, MessageList* messages) {
  for (size_t i = 0; i < max_messages && !queue_.empty(); ++i) {
    Message* const message = queue_.Pop();
    if (MayHoldContext(message)) --visitable_;
    messages->Push(message);
  }
  if (queue_.empty()) NotifyLocked();
}

void MessagePipeEndpoint::CloseLocked(Garbage* garbage) {
  garbage->messages.Splice(queue_);
  visitable_ = 0;
  if (channel_) DetachLocked(garbage);
  if (!peer_) return;
  Ref<MessagePipeEndpoint> peer = std::move(peer_);
  garbage->objects.emplace_back(std::move(peer->peer_));
  peer->NotifyLocked();
  garbage->objects.emplace_back(std::move(peer));
}

void MessagePipeEndpoint::AddCarried(std::vector<Ref<Dispatcher>>* dispatchers) {
  Lock lock(this);
  if (visitable_ == 0) return;
  for (const Message* each = queue_.head(); each; each = each->next) {
    dispatchers->insert(dispatchers->end(), each->dispatchers.begin(), each->dispatchers.end());
  }
}

bool MessagePipeEndpoint::Carries(const Message* message, const Dispatcher* target) {
  return Reaches(message->dispatchers, target, nullptr, nullptr);
}

bool MessagePipeEndpoint::WouldCarry(MessagePipeEndpoint* from, const Dispatcher* target,
                                     const Dispatcher* moved_to, MessagePipeEndpoint* moved) {
  std::vector<Ref<Dispatcher>> work;
  from->AddCarried(&work);
  return Reaches(std::move(work), target, moved_to, moved);
}

bool MessagePipeEndpoint::Reaches(std::vector<Ref<Dispatcher>> work, const Dispatcher* target,
                                  const Dispatcher* moved_to, MessagePipeEndpoint* moved) {
  std::unordered_set<const Dispatcher*> seen;
  while (!work.empty()) {
    Ref<Dispatcher> next = std::move(work.back());
    work.pop_back();
    if (next.get() == target) return true;
    if (next->type() != HandleType::kMessagePipe || !seen.insert(next.get()).second) continue;
    static_cast<MessagePipeEndpoint*>(next.get())->AddCarried(&work);
    if (next.get() == moved_to) moved->AddCarried(&work);
  }
  return false;
}

int MessagePipeEndpoint::VisitContexts(ContextVisit visit, void* arg) {
  std::vector<Ref<Dispatcher>> work;
  std::vector<void*> contexts;
  work.emplace_back(this);
  while (!work.empty()) {
    Ref<Dispatcher> next = std::move(work.back());
    work.pop_back();
    if (next->type() != HandleType::kMessagePipe) continue;
    auto* const endpoint = static_cast<MessagePipeEndpoint*>(next.get());
    Lock lock(endpoint);
    if (endpoint->visitable_ == 0) continue;
    for (const Message* each = endpoint->queue_.head(); each; each = each->next) {
      if (each->context) contexts.push_back(each->context);
      work.insert(work.end(), each->dispatchers.begin(), each->dispatchers.end());
    }
  }
  for (void* context : contexts) {
    if (const int stop = visit(context, arg)) return stop;
  }
  return 0;
}

int MessagePipeEndpoint::VisitCarriedContexts(const Message* message, ContextVisit visit,
                                              void* arg) {
  for (const Ref<Dispatcher>& dispatcher : message->dispatchers) {
    if (dispatcher->type() != HandleType::kMessagePipe) continue;
    auto* const endpoint = static_cast<MessagePipeEndpoint*>(dispatcher.get());
    if (const int stop = endpoint->VisitContexts(visit, arg)) return stop;
  }
  return 0;
}

}  // namespace mojo_seq
