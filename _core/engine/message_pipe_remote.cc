// The half of MessagePipeEndpoint that deals with a peer in another process.
#include "message_pipe.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "bundle.h"
#include "departure.h"
#include "io_thread.h"
#include "notification.h"
#include "peer_report.h"
#include "segment.h"
#include "socket.h"

namespace mojo_seq {

namespace {

constexpr short kGone = POLLHUP | POLLERR;
constexpr int kMostRounds = 16;
constexpr int kMostRearms = 100;

// A large payload that was written to ordinary memory, or to some that another peer knows.
void MoveToSegment(Message* message, uint64_t pipe) {
  if (message->size < Segment::kThreshold) return;
  Segment* segment = Segment::Of(*message);
  if (!segment || !segment->MayGoTo(pipe)) {
    Ref<Payload> payload = Segment::Allocate(message->size, false, pipe);
    if (!payload) payload = segment ? Payload::Allocate(message->size) : nullptr;
    if (!payload) return;  // then it goes through the socket, or as it is
    memcpy(payload->data(), message->payload->data(), message->size);
    message->payload = std::move(payload);
    segment = Segment::Of(*message);
  }
  if (segment) segment->GoTo(pipe);
}

}  // namespace

Ref<MessagePipeEndpoint> MessagePipeEndpoint::FromSocket(ScopedFd fd) {
  auto endpoint = Ref<MessagePipeEndpoint>::Adopt(new MessagePipeEndpoint(PickStripe()));
  const uint64_t cookie = SocketCookie(fd.get());
  endpoint->channel_ = MakeRef<Channel>(std::move(fd), cookie, 0);
  return endpoint;
}

bool MessagePipeEndpoint::IsRemote() const {
  Lock lock(this);
  return static_cast<bool>(channel_);
}

uint64_t MessagePipeEndpoint::PipeNumber() const {
  Lock lock(this);
  return channel_ ? channel_->cookie() : 0;
}

Ref<Channel> MessagePipeEndpoint::channel(HandleValue value) const {
  Lock lock(this);
  return IsOpenLocked(value) ? channel_ : nullptr;
}

Ref<SharedFd> MessagePipeEndpoint::WaitDescriptor(HandleValue value, short* events) {
  Lock lock(this);
  if (!IsOpenLocked(value) || !channel_) return nullptr;
  *events = POLLRDHUP;
  if (queue_.empty() && !stuck_) *events |= POLLIN;
  return channel_->shared_fd();
}

size_t MessagePipeEndpoint::Unsent() const {
  Lock lock(this);
  return channel_ ? channel_->unsent() : 0;
}

// --- sending ---

Result MessagePipeEndpoint::CheckSend(HandleValue value, const Channel* channel) {
  Lock lock(this);
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  if (channel_.get() != channel) return Result::kUnavailable;
  if (hung_up_) return Result::kFailedPrecondition;
  written_ = true;
  return Result::kOk;
}

// `waited`: something was unsent all the time, so whoever sends it knows. What waits for room in a
// ring may have been sent, and the ring filled again, just when he looked.
void MessagePipeEndpoint::OnSent(Channel* channel, Result result, bool waited) {
  if (result == Result::kFailedPrecondition) {
    Lock lock(this);
    if (channel_.get() != channel || hung_up_) return;
    hung_up_ = true;
    NotifyLocked();
  } else if (!waited && channel->unsent() > 0) {
    UpdateInterest();
  }
}

Result MessagePipeEndpoint::SendPlain(HandleValue value, Message* message) {
  for (;;) {
    Result result;
    bool waited;
    Ref<Channel> remote = channel(value);
    if (!remote) {
      // It was closed, or has become local.
      Lock lock(this);
      result = PushLocked(value, message);
      if (result == Result::kUnavailable) continue;
      return result;
    }
    MoveToSegment(message, remote->cookie());
    {
      Channel::Guard guard(remote->send_mutex());
      result = CheckSend(value, remote.get());
      if (result == Result::kUnavailable) continue;
      if (result != Result::kOk) return result;
      waited = remote->unsent() > 0 && !remote->awaits_room();
      result = Segment::Of(*message) ? remote->Send(BundleWriter::Write(message, remote->cookie()))
                                     : remote->Send(*message);
      if (remote->out_ring()) quick_.store(true, std::memory_order_relaxed);
    }
    OnSent(remote.get(), result, waited);
    if (result == Result::kOk) Message::Destroy(message);
    return result;
  }
}

Result MessagePipeEndpoint::SendBatch(HandleValue value, Channel* channel, MessageList* messages) {
  for (Message* each = messages->head(); each; each = each->next) {
    MoveToSegment(each, channel->cookie());
  }
  Result result;
  bool waited;
  {
    Channel::Guard guard(channel->send_mutex());
    result = CheckSend(value, channel);
    if (result != Result::kOk) return result;
    waited = channel->unsent() > 0 && !channel->awaits_room();
    result = channel->SendBatch(*messages);
    if (channel->out_ring()) quick_.store(true, std::memory_order_relaxed);
  }
  OnSent(channel, result, waited);
  if (result == Result::kOk) {
    MessageList sent;
    sent.Splice(*messages);
  }
  return result;
}

Result MessagePipeEndpoint::SendWithHandles(HandleValue value, Message* message,
                                            Attachment* attachment, size_t* blamed,
                                            Serialization* serialization) {
  const bool attaching = attachment && attachment->size() > 0;
  const size_t carried = message->dispatchers.size();
  Ref<Channel> remote = channel(value);
  if (!remote) return Result::kUnavailable;  // closed, or become local: the caller looks again
  // Once the handles are packed there is no way back, so the other end must be there now.
  if (PollSocket(remote->fd(), 0) & kGone) {
    OnSent(remote.get(), Result::kFailedPrecondition);
  }
  Result result = CheckSend(value, remote.get());
  if (result != Result::kOk) return result;
  MoveToSegment(message, remote->cookie());
  if (attaching) {
    result = BeginAttachment(value, message, attachment, blamed);
    if (result != Result::kOk) return result;
  }
  {
    Departure departure(serialization ? &serialization->messages : nullptr);
    result = departure.Plan({message});
    if (serialization) serialization->unserialized = departure.unserialized();
    if (result == Result::kOk) {
      Channel::Guard guard(remote->send_mutex());
      result = CheckSend(value, remote.get());
      // If the other end goes away just now, what was sent is lost like what it had not yet read.
      if (result == Result::kOk) remote->Send(departure.Leave(remote->cookie()));
    }
  }
  if (result != Result::kOk) {
    message->dispatchers.resize(carried);
    if (attaching) attachment->Abort();
    return result == Result::kUnavailable ? Result::kFailedPrecondition : result;
  }
  if (attaching) attachment->Commit();
  OnSent(remote.get(), Result::kOk);
  Message::Destroy(message);
  return Result::kOk;
}

// --- receiving ---

Result MessagePipeEndpoint::Pull(Channel* channel) {
  // Kept, for it grows large where many small ones come at once.
  static thread_local std::vector<InFrame> kept;
  Garbage garbage;
  MessageList arrived;
  std::vector<InFrame> frames = std::move(kept);
  bool bad = false;
  Channel::Guard guard(channel->receive_mutex());
  {
    Lock lock(this);
    if (channel_.get() != channel) return Result::kUnavailable;
  }
  Result result = channel->Receive(&frames);
  if (channel->QuickRing()) quick_.store(true, std::memory_order_relaxed);
  bad = result == Result::kAborted;
  const bool took_bell = channel->TookBell();
  uint32_t sender = 0;
  for (InFrame& frame : frames) {
    sender = frame.header.sender;
    Message* const message = BundleReader::Read(std::move(frame), channel->cookie());
    if (!message) {
      bad = true;
      break;
    }
    arrived.Push(message);
  }
  frames.clear();
  kept = std::move(frames);
  if (bad) {
    result = Result::kAborted;
    ReportBadPeer(sender);
    shutdown(channel->fd(), SHUT_RDWR);  // also what is yet to be sent goes nowhere
  }
  Lock lock(this);
  if (channel_.get() != channel) {
    garbage.messages.Splice(arrived);
    return Result::kUnavailable;
  }
  const bool was_stuck = stuck_;
  stuck_ = result == Result::kResourceExhausted;
  if (took_bell && arrived.empty()) TellBellTakenLocked();
  TakeArrivedLocked(channel, &arrived, &garbage);
  const bool over = result == Result::kFailedPrecondition || bad;
  if (over) DetachLocked(&garbage);
  if (over || stuck_ != was_stuck) NotifyLocked();
  return result;
}

Result MessagePipeEndpoint::Receive(HandleValue value, Channel* channel, size_t max_messages,
                                    MessageList* messages) {
  const Result result = Pull(channel);
  bool update;
  {
    Lock lock(this);
    if (!IsOpenLocked(value)) return Result::kInvalidArgument;
    if (queue_.empty()) {
      if (result == Result::kResourceExhausted) return result;
      return IsConnectedLocked() || channel_ ? Result::kShouldWait : Result::kFailedPrecondition;
    }
    TakeLocked(max_messages, messages);
    update = queue_.empty() && NeedsIoLocked();
  }
  if (update) Refill(channel);
  return Result::kOk;
}

// The last message was taken, and others watch for the next. If it is there already they need not
// hear of it by way of the I/O thread.
void MessagePipeEndpoint::Refill(Channel* channel) {
  Pull(channel);
  UpdateInterest();
}

void MessagePipeEndpoint::DetachLocked(Garbage* garbage) {
  garbage->objects.emplace_back(AbsentLocked(channel_.get()));
  garbage->closed = std::move(channel_);
  hung_up_ = false;
  stuck_ = false;
}

int MessagePipeEndpoint::PeerProcessor() const {
  Lock lock(this);
  return channel_ ? channel_->peer_processor() : -1;
}

Time MessagePipeEndpoint::SentAt() const {
  Lock lock(this);
  return channel_ ? channel_->sent_at() : 0;
}

void MessagePipeEndpoint::LookQuickly() {
  Ref<Channel> remote;
  {
    Lock lock(this);
    if (!channel_ || !queue_.empty()) return;
    remote = channel_;
  }
  if (remote->MayHaveNews()) Pull(remote.get());
}

void MessagePipeEndpoint::ArmDoorbell() {
  Ref<Channel> remote;
  {
    Lock lock(this);
    if (!channel_ || !queue_.empty()) return;
    remote = channel_;
  }
  // Whoever reads quickly may be before us, and tells nobody: then nothing is there, nor are we armed.
  // Not for ever: the other side may lie about what is there.
  for (int round = 0; round < kMostRearms && remote->Arm(); ++round) {
    Pull(remote.get());
    Lock lock(this);
    if (channel_.get() != remote.get() || !queue_.empty() || stuck_) return;
  }
}

void MessagePipeEndpoint::LookForNews(short events) {
  Ref<Channel> remote;
  bool empty;
  {
    Lock lock(this);
    if (!channel_) return;
    remote = channel_;
    empty = queue_.empty();
  }
  // An end that somebody else has seen may be that of a socket which was ours before.
  if (events == kNotPolled || (events & (POLLRDHUP | kGone))) {
    events = PollSocket(remote->fd(), POLLIN | POLLRDHUP);
  }
  if (events & (POLLRDHUP | kGone)) {
    // All that it sent is here: when its end is known, so is what it said.
    remote->OnPeerGone();
    while (Pull(remote.get()) == Result::kOk) continue;
    OnSent(remote.get(), Result::kFailedPrecondition);  // where there was no room for it
  } else if (empty && ((events & POLLIN) || remote->HasNews())) {
    Pull(remote.get());
  }
}

// --- the I/O thread ---

void MessagePipeEndpoint::OnIo(uint32_t events) {
  Ref<Channel> remote;
  {
    Lock lock(this);
    remote = channel_;
  }
  if (!remote) return;
  if (events == 0) remote->OnRetry();
  if (remote->unsent() > 0) {
    Result result;
    {
      Channel::Guard guard(remote->send_mutex());
      result = remote->Flush();
    }
    if (result == Result::kFailedPrecondition) OnSent(remote.get(), result);
  }
  // epoll's events have poll's numbers.
  if (events != EPOLLOUT) LookForNews(events == 0 ? kNotPolled : static_cast<short>(events));
  UpdateInterest();
}

void MessagePipeEndpoint::UpdateInterest() {
  Ref<Channel> remote;
  {
    Lock lock(this);
    remote = channel_;
  }
  if (!remote) return;
  // With a ring the other side must be told that the socket is watched, and then there may be
  // something already.
  for (int round = 0; WatchSocket(remote.get()) && remote->Arm(); ++round) {
    if (round == kMostRounds) {  // others are faster, or it is a trick
      IoThread::Get().After(0, Ref<IoHandler>(this));
      return;
    }
    Pull(remote.get());
  }
}

// Returns whether the I/O thread waits for messages from now on.
bool MessagePipeEndpoint::WatchSocket(Channel* remote) {
  std::lock_guard<std::mutex> poll(remote->poll_mutex());
  uint32_t events = 0;
  {
    Lock lock(this);
    if (channel_.get() != remote) return false;
    if (NeedsIoLocked() && !stuck_) {
      if (queue_.empty()) events |= EPOLLIN;
      if (!hung_up_) events |= EPOLLRDHUP;
    }
  }
  if (remote->unsent() > 0) {
    if (remote->is_refused() || remote->awaits_room()) {
      remote->RetryLaterLocked(this);
    } else {
      events |= EPOLLOUT;
    }
  }
  remote->SetInterestLocked(events, this);
  return (events & EPOLLIN) != 0;
}

}  // namespace mojo_seq
