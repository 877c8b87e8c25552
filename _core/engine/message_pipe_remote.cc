// The half of MessagePipeEndpoint that deals with a peer in another process.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "bundle.h"
#include "departure.h"
#include "io_thread.h"
#include "message_pipe.h"
#include "notification.h"
#include "peer_report.h"
#include "segment.h"
#include "socket.h"

namespace mojo_seq {

namespace {

constexpr short kGone = POLLHUP | POLLERR;

// A large payload that was written to ordinary memory.
void MoveToSegment(Message* message) {
  if (message->size < Segment::kThreshold || Segment::Of(*message)) return;
  Ref<Payload> payload = Segment::Allocate(message->size, false);
  if (!payload) return;  // then it goes through the socket
  memcpy(payload->data(), message->payload->data(), message->size);
  message->payload = std::move(payload);
}

}  // namespace

Ref<MessagePipeEndpoint> MessagePipeEndpoint::FromSocket(ScopedFd fd) {
  auto endpoint = Ref<MessagePipeEndpoint>::Adopt(new MessagePipeEndpoint(PickStripe()));
  endpoint->channel_ = MakeRef<Channel>(std::move(fd), 0);
  return endpoint;
}

bool MessagePipeEndpoint::IsRemote() const {
  Lock lock(this);
  return static_cast<bool>(channel_);
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

void MessagePipeEndpoint::OnSent(Channel* channel, Result result) {
  if (result == Result::kFailedPrecondition) {
    Lock lock(this);
    if (channel_.get() != channel || hung_up_) return;
    hung_up_ = true;
    NotifyLocked();
  } else if (channel->unsent() > 0) {
    UpdateInterest();
  }
}

Result MessagePipeEndpoint::SendPlain(HandleValue value, Message* message) {
  MoveToSegment(message);
  for (;;) {
    Result result;
    Ref<Channel> remote = channel(value);
    if (!remote) {
      // It was closed, or has become local.
      Lock lock(this);
      result = PushLocked(value, message);
      if (result == Result::kUnavailable) continue;
      return result;
    }
    {
      Channel::Guard guard(remote->send_mutex());
      result = CheckSend(value, remote.get());
      if (result == Result::kUnavailable) continue;
      if (result != Result::kOk) return result;
      result = Segment::Of(*message) ? remote->Send(BundleWriter::Write(message))
                                     : remote->Send(*message);
    }
    OnSent(remote.get(), result);
    if (result == Result::kOk) Message::Destroy(message);
    return result;
  }
}

Result MessagePipeEndpoint::SendBatch(HandleValue value, Channel* channel, MessageList* messages) {
  for (Message* each = messages->head(); each; each = each->next) MoveToSegment(each);
  Result result;
  {
    Channel::Guard guard(channel->send_mutex());
    result = CheckSend(value, channel);
    if (result != Result::kOk) return result;
    result = channel->SendBatch(*messages);
  }
  OnSent(channel, result);
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
  if (!remote) return Result::kInvalidArgument;
  // Once the handles are packed there is no way back, so the other end must be there now.
  if (PollSocket(remote->fd(), 0) & kGone) {
    OnSent(remote.get(), Result::kFailedPrecondition);
  }
  Result result = CheckSend(value, remote.get());
  if (result != Result::kOk) return result;
  MoveToSegment(message);
  if (attaching) {
    result = BeginAttachment(value, message, attachment, blamed);
    if (result != Result::kOk) return result;
  }
  {
    Departure departure(serialization ? &serialization->messages : nullptr);
    result = departure.Plan(message);
    if (serialization) serialization->unserialized = departure.unserialized();
    if (result == Result::kOk) {
      Channel::Guard guard(remote->send_mutex());
      result = CheckSend(value, remote.get());
      // If the other end goes away just now, what was sent is lost like what it had not yet read.
      if (result == Result::kOk) remote->Send(departure.Leave(message));
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
  Garbage garbage;
  MessageList arrived;
  std::vector<InFrame> frames;
  bool bad = false;
  Channel::Guard guard(channel->receive_mutex());
  {
    Lock lock(this);
    if (channel_.get() != channel) return Result::kUnavailable;
  }
  Result result = channel->Receive(&frames);
  bad = result == Result::kAborted;
  uint32_t sender = 0;
  for (InFrame& frame : frames) {
    sender = frame.header.sender;
    Message* const message = BundleReader::Read(std::move(frame));
    if (!message) {
      bad = true;
      break;
    }
    arrived.Push(message);
  }
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
  stuck_ = result == Result::kResourceExhausted;
  for (const Message* each = arrived.head(); each; each = each->next) {
    if (MayHoldContext(each)) ++visitable_;
  }
  queue_.Splice(arrived);
  if (result == Result::kFailedPrecondition || bad) DetachLocked(&garbage);
  if (result != Result::kShouldWait) NotifyLocked();
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
  if (update) UpdateInterest();
  return Result::kOk;
}

void MessagePipeEndpoint::DetachLocked(Garbage* garbage) {
  garbage->closed = std::move(channel_);
  hung_up_ = false;
  stuck_ = false;
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
  if (events == kNotPolled) events = PollSocket(remote->fd(), POLLIN | POLLRDHUP);
  if (events & (POLLRDHUP | kGone)) {
    // All that it sent is here: when its end is known, so is what it said.
    while (Pull(remote.get()) == Result::kOk) continue;
    OnSent(remote.get(), Result::kFailedPrecondition);  // where there was no room for it
  } else if ((events & POLLIN) && empty) {
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
  if (remote->unsent() > 0) {
    Result result;
    {
      Channel::Guard guard(remote->send_mutex());
      result = remote->Flush();
    }
    if (result == Result::kFailedPrecondition) OnSent(remote.get(), result);
  }
  // epoll's events have poll's numbers.
  if (events & ~uint32_t{EPOLLOUT}) LookForNews(static_cast<short>(events));
  UpdateInterest();
}

void MessagePipeEndpoint::UpdateInterest() {
  Ref<Channel> remote;
  {
    Lock lock(this);
    remote = channel_;
  }
  if (!remote) return;
  std::lock_guard<std::mutex> poll(remote->poll_mutex());
  uint32_t events = 0;
  {
    Lock lock(this);
    if (channel_.get() != remote.get()) return;
    if (NeedsIoLocked() && !stuck_) {
      if (queue_.empty()) events |= EPOLLIN;
      if (!hung_up_) events |= EPOLLRDHUP;
    }
  }
  if (remote->unsent() > 0) {
    if (remote->is_refused()) {
      IoThread::Get().After(kRetry, Ref<IoHandler>(this));
    } else {
      events |= EPOLLOUT;
    }
  }
  remote->SetInterestLocked(events, this);
}

// --- leaving ---

void MessagePipeEndpoint::MarkLeaving(bool leaving) {
  Lock lock(this);
  leaving_ = leaving;
}

Ref<MessagePipeEndpoint> MessagePipeEndpoint::Unread(std::vector<Message*>* messages) {
  Lock lock(this);
  for (Message* each = queue_.head(); each; each = each->next) messages->push_back(each);
  return peer_;
}

Ref<Channel> MessagePipeEndpoint::Separate(MessagePipeEndpoint* leaving,
                                           MessagePipeEndpoint* staying, ScopedFd leaving_fd,
                                           ScopedFd staying_fd, MessageList* unread) {
  const uint64_t leaving_cookie = SocketCookie(leaving_fd.get());
  const uint64_t staying_cookie = SocketCookie(staying_fd.get());
  auto leaving_channel = MakeRef<Channel>(std::move(leaving_fd), staying_cookie);
  auto staying_channel = MakeRef<Channel>(std::move(staying_fd), leaving_cookie);
  staying_channel->send_mutex().lock();
  Ref<MessagePipeEndpoint> peers[2];  // released after the lock
  Lock lock(leaving);
  unread->Splice(leaving->queue_);
  leaving->visitable_ = 0;
  peers[0] = std::move(leaving->peer_);
  if (!peers[0]) {
    // The peer was closed since the plan was made. It is still the ghost that sends what it wrote.
    leaving->channel_ = std::move(leaving_channel);
    return staying_channel;
  }
  peers[1] = std::move(staying->peer_);
  leaving->channel_ = std::move(leaving_channel);
  staying->channel_ = staying_channel;
  staying->NotifyLocked();
  return staying_channel;
}

bool MessagePipeEndpoint::OnMoved(const Channel* channel) {
  {
    Lock lock(this);
    if (channel_.get() != channel) return false;
    TellMovedLocked();
  }
  UpdateInterest();
  return true;
}

void MessagePipeEndpoint::Pack(BundleWriter* writer) {
  enum : uint8_t { kConnected = 1, kWritten = 2, kHungUp = 4 };
  Ref<Channel> remote;
  {
    Lock lock(this);
    remote = channel_;
  }
  MessageList unread;
  std::deque<OutFrame> unsent;
  std::vector<uint8_t> begun;
  std::vector<ScopedFd> begun_descriptors;
  uint8_t flags = 0;
  if (remote) {
    remote->Retire();
    Channel::Guard send(remote->send_mutex());
    Channel::Guard receive(remote->receive_mutex());
    unsent = remote->TakeUnsent();
    remote->parser().TakeBegun(&begun, &begun_descriptors);
    Lock lock(this);
    // The peer may have been found gone just now: then there is nothing to be connected to.
    if (!channel_) remote = nullptr;
    channel_ = nullptr;
    if (hung_up_) flags |= kHungUp;
  }
  {
    Lock lock(this);
    unread.Splice(queue_);
    visitable_ = 0;
    if (written_) flags |= kWritten;
    EndLocked();
  }
  if (remote) flags |= kConnected;
  writer->Number<uint8_t>(flags);
  writer->Number<uint64_t>(unread.size());
  writer->Messages(&unread);
  if (!remote) return;
  writer->Descriptor(remote->shared_fd());
  writer->Number<uint64_t>(remote->peer_cookie());
  writer->Number<uint64_t>(unsent.size());
  for (OutFrame& frame : unsent) {
    writer->Number<uint64_t>(frame.bytes() - frame.sent);
    writer->Number<uint32_t>(static_cast<uint32_t>(frame.descriptors.size()));
    const size_t skip = std::min(frame.sent, frame.head.size());
    writer->Bytes(frame.head.data() + skip, frame.head.size() - skip);
    const size_t skip_payload = frame.sent - skip;
    if (frame.payload_bytes > 0) {
      writer->Bytes(frame.payload->data() + skip_payload, frame.payload_bytes - skip_payload);
    }
    for (Ref<SharedFd>& fd : frame.descriptors) writer->Descriptor(std::move(fd));
  }
  writer->Number<uint64_t>(begun.size());
  writer->Number<uint32_t>(static_cast<uint32_t>(begun_descriptors.size()));
  writer->Bytes(begun.data(), begun.size());
  for (ScopedFd& fd : begun_descriptors) writer->Descriptor(MakeRef<SharedFd>(std::move(fd)));
}

// --- arriving ---

Ref<Dispatcher> MessagePipeEndpoint::Unpack(BundleReader* reader) {
  enum : uint8_t { kConnected = 1, kWritten = 2, kHungUp = 4 };
  uint8_t flags = 0;
  uint64_t unread = 0;
  if (!reader->Number(&flags) || !reader->Number(&unread)) return nullptr;
  auto endpoint = Ref<MessagePipeEndpoint>::Adopt(new MessagePipeEndpoint(PickStripe()));
  endpoint->written_ = (flags & kWritten) != 0;
  reader->Messages(unread, Ref<RefCounted>(Ref<MessagePipeEndpoint>(endpoint)), &endpoint->queue_);
  reader->Arriving(Ref<Dispatcher>(Ref<MessagePipeEndpoint>(endpoint)));
  if (!(flags & kConnected)) return endpoint;

  ScopedFd fd;
  uint64_t peer_cookie = 0;
  uint64_t unsent = 0;
  if (!reader->Descriptor(&fd) || !IsConnectedSocket(fd.get())) return nullptr;
  if (!reader->Number(&peer_cookie) || !reader->Number(&unsent)) return nullptr;
  auto channel = MakeRef<Channel>(std::move(fd), peer_cookie);
  for (uint64_t i = 0; i < unsent; ++i) {
    OutFrame frame;
    uint64_t nbytes = 0;
    uint32_t count = 0;
    std::vector<ScopedFd> descriptors;
    if (!reader->Number(&nbytes) || !reader->Number(&count) || nbytes == 0) return nullptr;
    if (count > kMaxFrameDescriptors || !reader->Bytes(&frame.head, nbytes)) return nullptr;
    if (!reader->Descriptors(&descriptors, count)) return nullptr;
    for (ScopedFd& each : descriptors) {
      frame.descriptors.push_back(MakeRef<SharedFd>(std::move(each)));
    }
    channel->Queue(std::move(frame));
  }
  uint64_t begun = 0;
  uint32_t count = 0;
  std::vector<uint8_t> bytes;
  std::vector<ScopedFd> descriptors;
  if (!reader->Number(&begun) || !reader->Number(&count) || !reader->Bytes(&bytes, begun) ||
      !reader->Descriptors(&descriptors, count)) {
    return nullptr;
  }
  std::vector<InFrame> whole;
  channel->parser().AddDescriptors(std::move(descriptors));
  if (!channel->parser().Feed(bytes.data(), bytes.size(), &whole) || !whole.empty()) return nullptr;
  endpoint->hung_up_ = (flags & kHungUp) != 0;
  endpoint->channel_ = std::move(channel);
  return endpoint;
}

void MessagePipeEndpoint::OnArrived() {
  {
    Lock lock(this);
    for (const Message* each = queue_.head(); each; each = each->next) {
      if (MayHoldContext(each)) ++visitable_;
    }
  }
  UpdateInterest();
}

}  // namespace mojo_seq
