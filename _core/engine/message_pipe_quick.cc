// The half of MessagePipeEndpoint that uses a ring directly. One message costs two uncontended
// mutexes and a copy.
//
// A reader takes the dispatcher's lock first and only tries the channel's mutexes below it, so
// nothing can be behind it in the queue and nobody receives. What is in the ring has not arrived yet
// as far as observers are concerned: those who need to be told have it moved to the queue.
#include "message_pipe.h"

#include <poll.h>
#include <sched.h>

#include "socket.h"
#include "spinner.h"

namespace mojo_seq {

namespace {

constexpr Time kRoomWait = 60'000;   // a writer for a reader that has just made room
constexpr uint32_t kLooksAtSocket = 64;

}  // namespace

Channel* MessagePipeEndpoint::QuickLocked(HandleValue value) const {
  return IsOpenLocked(value) && !hung_up_ ? channel_.get() : nullptr;
}

Result MessagePipeEndpoint::WriteQuickly(HandleValue value, const ByteSpan* messages,
                                         size_t count) {
  Ref<Channel> sleeper;
  {
    Lock lock(this);
    Channel* const channel = QuickLocked(value);
    if (!channel) {
      quick_.store(false, std::memory_order_relaxed);
      return Result::kUnavailable;
    }
    // Below this lock it may only be tried.
    std::unique_lock<std::mutex> send(channel->send_mutex(), std::try_to_lock);
    if (!send) return Result::kUnavailable;
    switch (channel->SendQuickly(messages, count)) {
      case Channel::Quick::kRefused: return Result::kUnavailable;
      case Channel::Quick::kFull: return Result::kBusy;
      case Channel::Quick::kSent: written_ = true; return Result::kOk;
      case Channel::Quick::kSentToSleeper: break;
    }
    written_ = true;
    sleeper = channel_;
    send.release();
  }
  {
    std::lock_guard<std::mutex> send(sleeper->send_mutex(), std::adopt_lock);
    sleeper->WakeReader();
  }
  OnSent(sleeper.get(), Result::kOk);
  return Result::kOk;
}

bool MessagePipeEndpoint::AwaitRoom(HandleValue value, size_t nbytes) {
  Ref<RingWriter> ring;
  uint64_t end;
  int reader;
  {
    Lock lock(this);
    Channel* const channel = QuickLocked(value);
    if (!channel) return false;
    std::unique_lock<std::mutex> send(channel->send_mutex(), std::try_to_lock);
    if (!send || !channel->out_ring() || channel->unsent() > 0) return false;
    ring = channel->out_ring();
    end = ring->position().offset + nbytes;
    reader = channel->peer_processor();
  }
  uint64_t seen = ring->reader_offset();
  if (end - seen <= kRingBytes) return true;
  // While we wait on its own processor it cannot read.
  if (!ring->MayAwaitRoom() || !SpinControl::MaySpin(Now(), reader)) return false;
  Time until = Now() + kRoomWait;
  for (;;) {
    for (int i = 0; i < 32; ++i) {
      const uint64_t read = ring->reader_offset();
      if (end - read <= kRingBytes) return true;
      if (read > seen) {  // not for one that goes to and fro, and lies
        seen = read;
        until = Now() + kRoomWait;
      }
      Spinner::Relax();
    }
    if (this->value() != value) return false;
    if (Now() > until) break;
  }
  ring->AwaitedInVain();
  return false;
}

// --- reading ---

MessagePipeEndpoint::QuickReader::QuickReader(MessagePipeEndpoint* endpoint, HandleValue value)
    : lock_(endpoint) {
  Channel* const channel = endpoint->QuickLocked(value);
  if (!channel) endpoint->quick_.store(false, std::memory_order_relaxed);
  if (!channel || !endpoint->queue_.empty() || endpoint->stuck_ || endpoint->NeedsIoLocked()) {
    return;
  }
  if (channel->receive_mutex().try_lock()) channel_ = channel;
}

MessagePipeEndpoint::QuickReader::~QuickReader() {
  if (!channel_) return;
  if (ring_) {
    ring_->MayGiveBack();
    channel_->NoteProcessor(ring_->processor());
  }
  channel_->receive_mutex().unlock();
}

bool MessagePipeEndpoint::QuickReader::Look(const uint8_t** data, size_t* nbytes) {
  if (!channel_) return false;
  RingReader* const ring = channel_->LookAtRing(data, nbytes);
  if (ring) ring_ = ring;
  return ring != nullptr;
}

bool MessagePipeEndpoint::LookInRing(HandleValue value, SignalsState* state) {
  const uint8_t* data;
  size_t nbytes;
  QuickReader reader(this, value);
  if (!reader.Look(&data, &nbytes)) return false;
  *state = StateLocked();
  state->satisfied |= kSignalReadable;
  return true;
}

bool MessagePipeEndpoint::AwaitInRing(HandleValue value, SignalsState* state) {
  if (!spinner().WantsToSpin()) return false;
  Ref<RingReader> ring;
  Ref<SharedFd> socket;
  uint64_t seen;
  int peer;
  {
    Lock lock(this);
    Channel* const channel = QuickLocked(value);
    if (!channel || !queue_.empty() || NeedsIoLocked()) return false;
    std::unique_lock<std::mutex> receive(channel->receive_mutex(), std::try_to_lock);
    if (!receive || !channel->QuickRing()) return false;
    ring = Ref<RingReader>(channel->QuickRing());
    seen = ring->seen();
    socket = channel->shared_fd();
    peer = channel->peer_processor();
  }
  uint32_t looks = 0;
  const auto look = [&] {
    if (ring->HasMovedFrom(seen)) return true;
    if (++looks % kLooksAtSocket != 0) return false;
    return PollSocket(socket->fd.get(), POLLIN | POLLRDHUP) != 0 || this->value() != value;
  };
  return spinner().Spin(look, false, peer) && LookInRing(value, state);
}

bool MessagePipeEndpoint::IsNews(HandleValue value) {
  SignalsState state;
  return QueryState(value, &state, false) != Result::kOk ||
         (state.satisfied & (kSignalReadable | kSignalPeerClosed)) != 0;
}

bool MessagePipeEndpoint::HasNews(HandleValue value) {
  SignalsState state;
  if (IsNews(value) || LookInRing(value, &state)) return true;
  LookForNews();
  return IsNews(value);
}

bool MessagePipeEndpoint::WantsToSpin() {
  const int peer = PeerProcessor();
  return peer >= 0 && peer != sched_getcpu() && spinner().WantsToSpin() &&
         SpinControl::mode() != SpinMode::kNever;
}

bool MessagePipeEndpoint::AwaitNews(HandleValue value) {
  SignalsState state;
  if (IsNews(value) || LookInRing(value, &state)) return true;
  if (!spinner().WantsToSpin()) return false;
  const auto look = [&] {
    LookQuickly();
    return IsNews(value);
  };
  if (MayBeQuick() ? AwaitInRing(value, &state) : spinner().Spin(look, false, PeerProcessor())) {
    return true;
  }
  return HasNews(value);  // a spin seldom looks at the socket
}

// --- those who sleep without having said so ---

Ref<RefCounted> MessagePipeEndpoint::KeepArmed(HandleValue value) {
  const Ref<Channel> remote = channel(value);
  if (!remote) return nullptr;
  Ref<RefCounted> kept = remote->KeepArmed();
  // Whatever is in the queue: who takes it from there does not arm. What is in memory already nobody
  // has rung for.
  if (remote->Arm()) Pull(remote.get());
  return kept;
}

void MessagePipeEndpoint::DisarmDoorbell() {
  Ref<Channel> remote;
  {
    Lock lock(this);
    if (!channel_) return;
    remote = channel_;
  }
  // So that nobody puts what he has received into the queue meanwhile: then it is to stay armed.
  std::unique_lock<std::mutex> guard(remote->receive_mutex(), std::try_to_lock);
  if (!guard) return;
  {
    Lock lock(this);
    // Those who look on may sleep just now.
    if (channel_.get() != remote.get() || !queue_.empty() || HasObserversLocked()) return;
  }
  remote->Disarm();
}

}  // namespace mojo_seq
