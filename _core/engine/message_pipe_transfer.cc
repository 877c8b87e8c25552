// How message pipe endpoints leave the process and arrive in it, and how the two ends of a pipe are
// joined again when they meet.
#include "message_pipe.h"

#include <algorithm>
#include <unordered_map>

#include "bundle.h"
#include "notification.h"
#include "socket.h"

namespace mojo_seq {

namespace {

// The ends of pipes between processes that are in this one, by the kernel's number of their socket.
struct Meeting {
  std::mutex mutex;  // below the dispatchers' locks
  std::unordered_map<uint64_t, Ref<MessagePipeEndpoint>> ends;  // mutex
};

Meeting& TheMeeting() {
  static ForkLocal<Meeting> meeting;
  return meeting.Get();
}

}  // namespace

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
  auto leaving_channel = MakeRef<Channel>(std::move(leaving_fd), leaving_cookie, staying_cookie);
  auto staying_channel = MakeRef<Channel>(std::move(staying_fd), staying_cookie, leaving_cookie);
  if (unread) staying_channel->send_mutex().lock();
  Ref<MessagePipeEndpoint> peers[2];  // released after the lock
  Lock lock(leaving);
  if (unread) {
    unread->Splice(leaving->queue_);
    leaving->visitable_ = 0;
  }
  peers[0] = std::move(leaving->peer_);
  if (!peers[0]) {
    // The peer was closed since the plan was made. It is still the ghost that sends what it wrote.
    leaving->channel_ = std::move(leaving_channel);
    return staying_channel;
  }
  peers[1] = std::move(staying->peer_);
  leaving->channel_ = std::move(leaving_channel);
  staying->channel_ = staying_channel;
  staying->AttendLocked();
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
  Ref<RefCounted> absent;  // released after the locks
  MessageList unread;
  std::list<OutFrame> unsent;
  std::vector<uint8_t> begun;
  std::vector<ScopedFd> begun_descriptors;
  Channel::Rings rings;
  uint8_t flags = 0;
  bool connected = false;  // `remote` is kept in any case: its mutexes are held
  if (remote) {
    remote->Retire();
    Channel::Guard send(remote->send_mutex());
    Channel::Guard receive(remote->receive_mutex());
    unsent = remote->TakeUnsent();
    remote->parser().TakeBegun(&begun, &begun_descriptors);
    rings = remote->TakeRings();
    Lock lock(this);
    // The peer may have been found gone just now: then there is nothing to be connected to.
    connected = static_cast<bool>(channel_);
    if (channel_) absent = AbsentLocked(channel_.get());
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
  if (connected) flags |= kConnected;
  writer->Number<uint8_t>(flags);
  writer->Number<uint64_t>(unread.size());
  writer->Messages(&unread);
  if (!connected) return;
  writer->Descriptor(remote->shared_fd());
  writer->Number<uint64_t>(remote->peer_cookie());
  writer->Number<uint64_t>(unsent.size());
  for (OutFrame& frame : unsent) {
    const uint64_t left = frame.bytes() - frame.sent;
    writer->Number<uint64_t>(left);
    // Of frames that have travelled before it is not known which of their messages are sent.
    writer->Number<uint64_t>(std::min<uint64_t>(frame.messages, left));
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
  const auto pack = [&](const RingEnd* ring) {
    writer->Number<uint8_t>(ring != nullptr);
    if (!ring) return;
    writer->Descriptor(ring->shared_fd());
    writer->Number<uint64_t>(ring->position().offset);
    writer->Number<uint32_t>(ring->position().number);
  };
  pack(rings.out.get());
  pack(rings.in.get());
}

// False: that makes no sense. The descriptor is invalid if there is no ring.
static bool UnpackRing(BundleReader* reader, ScopedFd* fd, RingPosition* position) {
  uint8_t there;
  if (!reader->Number(&there) || there > 1) return false;
  if (there == 0) return true;
  return reader->Descriptor(fd) && reader->Number(&position->offset) &&
         reader->Number(&position->number);
}

// False: they make no sense. Where there is no memory for them the carrier is not to blame: what is
// written goes on by the socket; but messages are in the one to be read, so without it, `*lost`, the
// end has come to where it cannot go on.
static bool UnpackRings(BundleReader* reader, Channel* channel, bool* lost) {
  Channel::Rings rings;
  ScopedFd fd;
  RingPosition position;
  bool bad = false;
  if (!UnpackRing(reader, &fd, &position)) return false;
  if (fd.is_valid()) {
    rings.out = RingWriter::Restore(std::move(fd), position, &bad);
    if (bad) return false;
    if (!rings.out) channel->QueueRingEnd();
  }
  fd = ScopedFd();
  position = {};
  if (!UnpackRing(reader, &fd, &position)) return false;
  if (fd.is_valid()) {
    rings.in = RingReader::Map(std::move(fd), position, &bad);
    if (bad) return false;
    *lost = !rings.in;
  }
  channel->GiveRings(std::move(rings));
  return true;
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
  const uint64_t cookie = SocketCookie(fd.get());
  auto channel = MakeRef<Channel>(std::move(fd), cookie, peer_cookie);
  for (uint64_t i = 0; i < unsent; ++i) {
    OutFrame frame;
    uint64_t nbytes = 0;
    uint32_t count = 0;
    std::vector<ScopedFd> descriptors;
    uint64_t messages = 0;
    if (!reader->Number(&nbytes) || !reader->Number(&messages) || !reader->Number(&count)) {
      return nullptr;
    }
    if (nbytes == 0 || messages > nbytes) return nullptr;
    frame.messages = messages;
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
  if (!channel->parser().GiveBegun(bytes, std::move(descriptors))) return nullptr;
  bool lost = false;
  if (!UnpackRings(reader, channel.get(), &lost)) return nullptr;
  if (lost) {
    channel->OnOwnerClosed();  // what it had said goes out yet
    return endpoint;
  }
  endpoint->hung_up_ = (flags & kHungUp) != 0;
  endpoint->channel_ = std::move(channel);
  return endpoint;
}

void MessagePipeEndpoint::OnArrived() {
  {
    Lock lock(this);
    AttendLocked();
    for (const Message* each = queue_.head(); each; each = each->next) {
      if (MayHoldContext(each)) ++visitable_;
    }
  }
  UpdateInterest();
}

// --- meeting ---

void MessagePipeEndpoint::AttendLocked() {
  if (!channel_ || channel_->cookie() == 0 || channel_->peer_cookie() == 0) return;
  Meeting& meeting = TheMeeting();
  std::lock_guard<std::mutex> lock(meeting.mutex);
  meeting.ends[channel_->cookie()] = Ref<MessagePipeEndpoint>(this);
}

Ref<RefCounted> MessagePipeEndpoint::AbsentLocked(const Channel* channel) {
  Ref<RefCounted> absent;
  Meeting& meeting = TheMeeting();
  std::lock_guard<std::mutex> lock(meeting.mutex);
  auto it = meeting.ends.find(channel->cookie());
  if (it == meeting.ends.end() || it->second.get() != this) return absent;
  absent = std::move(it->second);
  meeting.ends.erase(it);
  return absent;
}

Ref<MessagePipeEndpoint> MessagePipeEndpoint::FindOtherEnd(const Channel* channel) {
  Meeting& meeting = TheMeeting();
  std::lock_guard<std::mutex> lock(meeting.mutex);
  auto it = meeting.ends.find(channel->peer_cookie());
  return it == meeting.ends.end() ? nullptr : it->second;
}

void MessagePipeEndpoint::JoinArrived(const Message* message) {
  for (const Ref<Dispatcher>& dispatcher : message->dispatchers) {
    if (dispatcher->type() != HandleType::kMessagePipe) continue;
    static_cast<MessagePipeEndpoint*>(dispatcher.get())->JoinOtherEnd();
  }
}

// What is on its way between the two, in user space and in the kernel. True: that is all of it.
bool MessagePipeEndpoint::DrainBoth(Channel* a, Channel* b, MessageList* to_a, MessageList* to_b) {
  const auto receive = [](Channel* channel, MessageList* messages, bool* any) {
    std::vector<InFrame> frames;
    const Result result = channel->Receive(&frames);
    for (InFrame& frame : frames) {
      Message* const message = BundleReader::Read(std::move(frame));
      if (!message) return false;
      messages->Push(message);
      *any = true;
    }
    return result == Result::kOk || result == Result::kShouldWait;
  };
  // Somebody who kept a copy of a socket could go on for ever.
  constexpr int kMostRounds = 100'000;
  for (int round = 0; round < kMostRounds; ++round) {
    bool any = false;
    a->Flush();
    b->Flush();
    if (!receive(a, to_a, &any) || !receive(b, to_b, &any)) return false;
    if (any) continue;
    if (a->is_refused() || b->is_refused()) return false;
    if (a->unsent() == 0 && b->unsent() == 0) {
      return !a->parser().IsInside() && !b->parser().IsInside();
    }
  }
  return false;
}

void MessagePipeEndpoint::JoinOtherEnd() {
  Ref<Channel> mine;
  {
    Lock lock(this);
    mine = channel_;
  }
  if (!mine || mine->peer_cookie() == 0) return;
  Ref<MessagePipeEndpoint> other = FindOtherEnd(mine.get());
  if (!other || other.get() == this) return;
  Garbage garbage;
  MessageList to_me;
  MessageList to_other;
  Ref<Channel> theirs;
  {
    Channel::Guard transit(TransitMutex());
    {
      Lock lock(other.get());
      theirs = other->channel_;
    }
    // The kernel says which socket this is; which one it is connected to, both ends must say.
    if (!theirs || theirs->cookie() != mine->peer_cookie() ||
        theirs->peer_cookie() != mine->cookie()) {
      return;
    }
    Channel* const first = std::min(mine.get(), theirs.get());
    Channel* const second = std::max(mine.get(), theirs.get());
    Channel::Guard send_first(first->send_mutex());
    Channel::Guard send_second(second->send_mutex());
    Channel::Guard receive_first(first->receive_mutex());
    Channel::Guard receive_second(second->receive_mutex());
    const bool all = DrainBoth(mine.get(), theirs.get(), &to_me, &to_other);
    PairLock lock(this, other.get());
    const bool both = channel_.get() == mine.get() && other->channel_.get() == theirs.get();
    TakeArrivedLocked(mine.get(), &to_me, &garbage);
    other->TakeArrivedLocked(theirs.get(), &to_other, &garbage);
    if (!all || !both) return;  // they go on as they are
    for (MessagePipeEndpoint* end : {this, other.get()}) {
      garbage.objects.emplace_back(end->AbsentLocked(end->channel_.get()));
      end->channel_ = nullptr;
      end->hung_up_ = end->stuck_ = false;
    }
    peer_ = other;
    other->peer_ = Ref<MessagePipeEndpoint>(this);
    lock_.store(other->lock_.load(std::memory_order_relaxed));
    NotifyLocked();
    other->NotifyLocked();
    TellMovedLocked();
    other->TellMovedLocked();
  }
  mine->Retire();
  theirs->Retire();
}

void MessagePipeEndpoint::TakeArrivedLocked(const Channel* channel, MessageList* messages,
                                            Garbage* garbage) {
  if (channel_.get() != channel) {
    garbage->messages.Splice(*messages);
    return;
  }
  for (const Message* each = messages->head(); each; each = each->next) {
    if (MayHoldContext(each)) ++visitable_;
  }
  const bool any = !messages->empty();
  queue_.Splice(*messages);
  if (any) NotifyLocked();
}

}  // namespace mojo_seq
