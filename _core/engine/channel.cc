#include "channel.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "hot_pipes.h"
#include "io_thread.h"
#include "notification.h"
#include "segment_pool.h"
#include "socket.h"

namespace mojo_seq {

namespace {

// While a ring is full, and its reader reads: the I/O thread looks so often whether there is room.
constexpr Time kRoomRetry = 200'000;

thread_local std::vector<uint8_t> scratch;

uint8_t* Scratch() {
  if (scratch.empty()) scratch.resize(kBatchBytes);
  return scratch.data();
}

union Control {
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(int) * kMaxFrameDescriptors)];
};

// Descriptors in flight are limited, memory is: neither is told by a poll.
bool IsScarce(int error) {
  return error == ETOOMANYREFS || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Channel::Channel(ScopedFd fd, uint64_t cookie, uint64_t peer_cookie)
    : fd_(MakeRef<SharedFd>(std::move(fd))),
      cookie_(cookie),
      peer_cookie_(peer_cookie) {
  PlainSocket(fd_->fd.get());
}

Channel::~Channel() {
  if (cookie_ != 0) SegmentPool::Get().OnPipeGone(cookie_);
  // Not by `out_`: OnIdle, which gives it back, is not done with this channel then.
  if (was_hot_) HotPipes::Leave(this);
}

Channel::Guard::Guard(std::mutex& mutex) : mutex_(mutex) {
  if (!mutex.try_lock()) lock_contended(&mutex);
}

// --- sending ---

Result Channel::Refused(int error) {
  // What the kernel will never take ends the pipe like a peer that is gone.
  const bool full = error == EAGAIN || error == EINTR;
  if (!full && !IsScarce(error)) return Result::kFailedPrecondition;
  refused_.store(!full, std::memory_order_release);
  return Result::kShouldWait;
}

Result Channel::SendSome(const OutFrame& frame, size_t* taken) {
  iovec parts[2];
  size_t count = 0;
  size_t skip = frame.sent;
  if (skip < frame.head.size()) {
    parts[count++] = {const_cast<uint8_t*>(frame.head.data()) + skip, frame.head.size() - skip};
    skip = 0;
  } else {
    skip -= frame.head.size();
  }
  if (frame.payload_bytes > skip) {
    parts[count++] = {frame.payload->data() + skip, frame.payload_bytes - skip};
  }
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  Control control;
  if (frame.sent == 0 && !frame.descriptors.empty()) {
    const size_t nbytes = sizeof(int) * frame.descriptors.size();
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(nbytes);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(nbytes);
    auto* const fds = reinterpret_cast<int*>(CMSG_DATA(header));
    for (size_t i = 0; i < frame.descriptors.size(); ++i) fds[i] = frame.descriptors[i]->fd.get();
  }
  const ssize_t sent = sendmsg(fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return Refused(errno);
  refused_.store(false, std::memory_order_release);
  *taken = static_cast<size_t>(sent);
  return Result::kOk;
}

Result Channel::Send(const Message& message) {
  bool spill = false;
  if (out_) {
    const ByRing result = SendByRing(message);
    if (result == ByRing::kSent) return Result::kOk;
    if (result == ByRing::kGone) return Result::kFailedPrecondition;
    spill = result == ByRing::kFull && AwaitsReader();
  }
  CountSent(1, message.size <= kMostInRing);
  size_t sent = 0;
  if (queue_.empty() && !spill) {
    const FrameHeader header = MakeHeader(0, message.size);
    iovec parts[2] = {{const_cast<FrameHeader*>(&header), sizeof header}, {nullptr, message.size}};
    if (message.size > 0) parts[1].iov_base = message.payload->data();
    msghdr call{};
    call.msg_iov = parts;
    call.msg_iovlen = message.size > 0 ? 2 : 1;
    const ssize_t taken = sendmsg(fd(), &call, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken == static_cast<ssize_t>(sizeof header + message.size)) return Result::kOk;
    if (taken >= 0) {
      sent = static_cast<size_t>(taken);
    } else if (Refused(errno) == Result::kFailedPrecondition) {
      return Result::kFailedPrecondition;
    }
  }
  Queue(message, sent, last_number());
  // Who sleeps is woken by this message, and taken for awake already: it has to go by the socket.
  if (is_refused()) queue_.back().is_small = false;
  return Result::kOk;
}

Result Channel::SendBatch(const MessageList& messages) {
  const Message* next = messages.head();
  bool any_sent = false;
  bool spill = false;
  if (out_) {
    const Message* const first = next;
    const ByRing result = SendByRing(&next);
    any_sent = next != first;
    if (result == ByRing::kGone) return Result::kFailedPrecondition;
    spill = result == ByRing::kFull && AwaitsReader();
  }
  while (next && queue_.empty() && !spill) {
    if (next->size > kSmallFrame) {
      const Result result = Send(*next);
      if (result != Result::kOk) return any_sent ? Result::kOk : result;
      next = next->next;
      any_sent = true;
      continue;
    }
    uint8_t* const bytes = Scratch();
    const Message* const first = next;
    size_t filled = 0;
    size_t count = 0;
    for (; next && next->size <= kSmallFrame; next = next->next, ++count) {
      if (filled + sizeof(FrameHeader) + next->size > kBatchBytes) break;
      const FrameHeader header = MakeHeader(0, next->size);
      memcpy(bytes + filled, &header, sizeof header);
      filled += sizeof header;
      if (next->size > 0) memcpy(bytes + filled, next->payload->data(), next->size);
      filled += next->size;
    }
    CountSent(count, true);
    const ssize_t taken = send(fd(), bytes, filled, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken < 0 && Refused(errno) == Result::kFailedPrecondition) {
      return any_sent ? Result::kOk : Result::kFailedPrecondition;
    }
    any_sent = true;
    size_t sent = taken > 0 ? static_cast<size_t>(taken) : 0;
    if (sent == filled) continue;
    uint32_t number = last_number() - static_cast<uint32_t>(count);
    for (const Message* each = first; each != next; each = each->next) {
      const size_t whole = sizeof(FrameHeader) + each->size;
      ++number;
      if (sent < whole) Queue(*each, sent, number);
      sent -= std::min(sent, whole);
    }
  }
  for (; next; next = next->next) {
    CountSent(1, next->size <= kMostInRing);
    Queue(*next, 0, last_number());
  }
  return Result::kOk;
}

Result Channel::Send(std::vector<OutFrame> frames) {
  const bool may_send = queue_.empty();
  for (OutFrame& frame : frames) {
    if (out_) out_->Skip(static_cast<uint32_t>(frame.messages));
    Queue(std::move(frame));
  }
  if (!may_send) return Result::kOk;
  const Result result = Flush();
  return result == Result::kFailedPrecondition ? result : Result::kOk;
}

// --- the I/O thread ---

void Channel::SetInterestLocked(uint32_t events, IoHandler* handler) {
  if (retired_ || events == interest_) return;
  IoThread& thread = IoThread::Get();
  if (registration_ == 0) {
    registration_ = thread.Add(fd(), events, Ref<IoHandler>(handler));
  } else if (events != 0) {
    thread.Modify(registration_, fd(), events);
  } else {
    thread.Remove(registration_, fd());
    registration_ = 0;
  }
  interest_ = events;
}

void Channel::RetryLaterLocked(IoHandler* handler) {
  if (retrying_) return;
  retrying_ = true;
  IoThread::Get().After(awaits_room() ? kRoomRetry : kRetry, Ref<IoHandler>(handler));
}

void Channel::OnRetry() {
  std::lock_guard<std::mutex> lock(poll_mutex_);
  retrying_ = false;
}

void Channel::Retire() {
  std::lock_guard<std::mutex> lock(poll_mutex_);
  SetInterestLocked(0, nullptr);
  retired_ = true;
}

void Channel::OnOwnerClosed() {
  {
    Guard guard(send_mutex_);
    Flush();
    Guard receive(receive_mutex_);
    if (in_) in_->Close();
  }
  std::lock_guard<std::mutex> lock(poll_mutex_);
  SetInterestLocked(0, nullptr);
  if (unsent() == 0) {
    retired_ = true;
    // Somebody who still polls it must not keep the other side from noticing.
    if (!fd_->HasOneRef() || !HasOneRef()) shutdown(fd(), SHUT_RDWR);
    return;
  }
  // The other side reads on, but need not write any more.
  shutdown(fd(), SHUT_RD);
  retrying_ = false;  // if it is, then for the owner that was
  WaitToSendLocked();
}

void Channel::WaitToSendLocked() {
  if (is_refused() || awaits_room()) {
    SetInterestLocked(0, nullptr);
    RetryLaterLocked(this);
  } else {
    SetInterestLocked(EPOLLOUT, this);
  }
}

void Channel::OnIo(uint32_t events) {
  if (events == 0) OnRetry();
  Result result;
  {
    Guard guard(send_mutex_);
    result = Flush();
  }
  std::lock_guard<std::mutex> lock(poll_mutex_);
  if (result != Result::kShouldWait) {
    SetInterestLocked(0, nullptr);
    retired_ = true;
  } else {
    WaitToSendLocked();
  }
}

}  // namespace mojo_seq
