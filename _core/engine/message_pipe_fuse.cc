// Fusing: the far ends of two pipes become one pipe, and the near ends go.
#include "message_pipe.h"

#include "bundle.h"
#include "departure.h"
#include "relay.h"

namespace mojo_seq {

MessagePipeEndpoint::PairLock::PairLock(MessagePipeEndpoint* a, MessagePipeEndpoint* b) {
  for (;;) {
    std::mutex* first = a->lock_.load(std::memory_order_acquire);
    std::mutex* second = b->lock_.load(std::memory_order_acquire);
    if (second < first) std::swap(first, second);
    first_ = std::unique_lock<std::mutex>(*first);
    if (second != first) second_ = std::unique_lock<std::mutex>(*second);
    const auto held = [&](MessagePipeEndpoint* endpoint) {
      std::mutex* const lock = endpoint->lock_.load(std::memory_order_relaxed);
      return lock == first || lock == second;
    };
    if (held(a) && held(b)) return;
    first_ = {};
    second_ = {};
  }
}

Result MessagePipeEndpoint::Fuse(MessagePipeEndpoint* a, HandleValue a_value,
                                 MessagePipeEndpoint* b, HandleValue b_value,
                                 Serialization* serialization) {
  if (a == b) return Result::kInvalidArgument;
  Garbage garbage;  // given up after all locks
  Channel::Guard transit(TransitMutex());
  if (Ref<Channel> channel = a->channel(a_value)) {
    return FuseRemote(a, a_value, std::move(channel), b, b_value, serialization);
  }
  if (Ref<Channel> channel = b->channel(b_value)) {
    return FuseRemote(b, b_value, std::move(channel), a, a_value, serialization);
  }
  Ref<MessagePipeEndpoint> left, right;
  {
    Lock lock(a);
    left = a->peer_;
  }
  {
    Lock lock(b);
    right = b->peer_;
  }
  // What is unread at one goes to the far end of the other, which may be inside it. While we have
  // the transit mutex nobody sends pipes, so the answer holds.
  if ((right && right->InTransit() && WouldCarry(a, right.get(), left.get(), b)) ||
      (left && left->InTransit() && WouldCarry(b, left.get(), right.get(), a))) {
    return a->value() == a_value && b->value() == b_value ? Result::kAborted
                                                          : Result::kInvalidArgument;
  }
  PairLock lock(a, b);
  const Result result = CheckFuseLocked(a, a_value, b, b_value);
  if (result == Result::kOk) a->FuseLocked(b, &garbage);
  return result;
}

Result MessagePipeEndpoint::CheckFuseLocked(const MessagePipeEndpoint* a, HandleValue a_value,
                                            const MessagePipeEndpoint* b, HandleValue b_value) {
  if (!a->IsOpenLocked(a_value) || !b->IsOpenLocked(b_value)) return Result::kInvalidArgument;
  const bool refused = a->peer_.get() == b || a->written_ || b->written_;
  return refused ? Result::kFailedPrecondition : Result::kOk;
}

void MessagePipeEndpoint::FuseLocked(MessagePipeEndpoint* other, Garbage* garbage) {
  RetireLocked(garbage);
  other->RetireLocked(garbage);
  Ref<MessagePipeEndpoint> left = std::move(peer_);
  Ref<MessagePipeEndpoint> right = std::move(other->peer_);
  // What was unread here was meant for whoever is at the far end now.
  const auto forward = [&](MessagePipeEndpoint* from, MessagePipeEndpoint* to) {
    if (to) {
      to->visitable_ += from->visitable_;
      to->queue_.Splice(from->queue_);
    } else {
      garbage->messages.Splice(from->queue_);
    }
    from->visitable_ = 0;
  };
  forward(this, right.get());
  forward(other, left.get());
  const auto join = [&](Ref<MessagePipeEndpoint>& end, Ref<MessagePipeEndpoint>& new_peer) {
    if (!end) return;
    garbage->objects.emplace_back(std::move(end->peer_));
    end->peer_ = new_peer;
  };
  join(left, right);
  join(right, left);
  if (left && right) left->lock_.store(right->lock_.load(std::memory_order_relaxed));
  if (left) left->NotifyLocked();
  if (right) right->NotifyLocked();
  garbage->objects.emplace_back(std::move(left));
  garbage->objects.emplace_back(std::move(right));
}

// `a` has a channel: its far end is in another process. That of `b` may be here, there or nowhere.
// What is unread at either goes to the far end of the other, so some of it leaves the process.
Result MessagePipeEndpoint::FuseRemote(MessagePipeEndpoint* a, HandleValue a_value,
                                       Ref<Channel> a_channel, MessagePipeEndpoint* b,
                                       HandleValue b_value, Serialization* serialization) {
  Ref<Channel> b_channel = b->channel(b_value);
  {
    PairLock lock(a, b);
    const Result result = CheckFuseLocked(a, a_value, b, b_value);
    if (result != Result::kOk) return result;
  }
  // From here on nobody else uses the two, until it is done or undone.
  Observer::List a_observers;
  Observer::List b_observers;
  Result result = a->BeginTransit(a_value, &a_observers);
  if (result != Result::kOk) return result;
  result = b->BeginTransit(b_value, &b_observers);
  if (result != Result::kOk) {
    a->AbortTransit(a_value, std::move(a_observers));
    return result;
  }
  Garbage garbage;
  MessageList a_unread;
  MessageList b_unread;
  std::vector<OutFrame> to_a;
  std::vector<OutFrame> to_b;
  Ref<MessagePipeEndpoint> near;  // the far end of `b`, if that is here
  {
    Departure departure_to_a(serialization ? &serialization->messages : nullptr);
    Departure departure_to_b(serialization ? &serialization->messages : nullptr);
    Channel::Guard send(a_channel->send_mutex());
    Channel::Guard receive(a_channel->receive_mutex());
    std::unique_lock<std::mutex> b_receive;
    if (b_channel) b_receive = std::unique_lock<std::mutex>(b_channel->receive_mutex());
    b->MarkLeaving(true);
    std::vector<Message*> planned_to_a;
    std::vector<Message*> planned_to_b;
    near = b->Unread(&planned_to_a);
    a->Unread(&planned_to_b);
    const size_t planned = planned_to_a.size();
    result = departure_to_a.Plan(std::move(planned_to_a));
    if (result == Result::kOk && b_channel) result = departure_to_b.Plan(std::move(planned_to_b));
    if (result == Result::kOk && near && near->InTransit() &&
        WouldCarry(a, near.get(), nullptr, b)) {
      result = Result::kAborted;
    }
    if (result == Result::kOk) {
      PairLock lock(a, b);
      b_unread.Splice(b->queue_);
      a_unread.Splice(a->queue_);
      a->visitable_ = b->visitable_ = 0;
      if (a->channel_) garbage.objects.emplace_back(a->AbsentLocked(a->channel_.get()));
      if (b->channel_) garbage.objects.emplace_back(b->AbsentLocked(b->channel_.get()));
      a->channel_ = b->channel_ = nullptr;
      near = std::move(b->peer_);
      if (near) {
        garbage.objects.emplace_back(std::move(near->peer_));
        near->channel_ = a_channel;
        near->hung_up_ = a->hung_up_;
        near->AttendLocked();
        near->TakeArrivedLocked(a_channel.get(), &a_unread, &garbage);
        near->NotifyLocked();
      }
      a->EndLocked();
      b->EndLocked();
    } else {
      b->MarkLeaving(false);
      if (serialization) {
        serialization->unserialized = departure_to_a.unserialized();
        const std::vector<void*>& more = departure_to_b.unserialized();
        serialization->unserialized.insert(serialization->unserialized.end(), more.begin(),
                                           more.end());
      }
    }
    if (result == Result::kOk) {
      to_a = departure_to_a.Leave(0);
      // What came since the plan was made carries nothing.
      size_t index = 0;
      for (Message* each = b_unread.head(); each; each = each->next) {
        if (index++ < planned) continue;
        for (OutFrame& frame : BundleWriter::Write(each)) to_a.push_back(std::move(frame));
      }
      if (b_channel) {
        to_b = departure_to_b.Leave(0);
      } else {
        a_channel->Send(std::move(to_a));
      }
    }
  }
  if (result != Result::kOk) {
    a->AbortTransit(a_value, std::move(a_observers));
    b->AbortTransit(b_value, std::move(b_observers));
    return result;
  }
  a->CommitTransit(std::move(a_observers));
  b->CommitTransit(std::move(b_observers));
  for (const Ref<Channel>& channel : {a_channel, b_channel}) {
    if (!channel) continue;
    std::lock_guard<std::mutex> poll(channel->poll_mutex());
    channel->SetInterestLocked(0, nullptr);
  }
  if (b_channel) {
    Relay::Start(std::move(a_channel), std::move(b_channel), std::move(to_a), std::move(to_b));
  } else if (!near || !near->OnMoved(a_channel.get())) {
    a_channel->OnOwnerClosed();
  }
  return Result::kOk;
}

}  // namespace mojo_seq
