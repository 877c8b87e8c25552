// The receiving half of Channel.
#include "channel.h"

#include <errno.h>
#include <sys/socket.h>

#include <cstring>

#include "socket.h"

namespace mojo_seq {

namespace {

constexpr size_t kReceiveBuffer = 64 * 1024;
constexpr size_t kLongBody = 4096;  // from here on it is read to where it belongs

uint8_t* ReceiveBuffer() {
  static thread_local std::vector<uint8_t> buffer(kReceiveBuffer);
  return buffer.data();
}

union ReceiveControl {
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(int) * kMaxFrameDescriptors)];
};

bool IsPassing(int error) {
  return error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == EINTR;
}

}  // namespace

Result Channel::ReceiveBody(std::vector<InFrame>* frames) {
  iovec part{parser_.body_target(), parser_.body_missing()};
  msghdr call{};
  call.msg_iov = &part;
  call.msg_iovlen = 1;
  const ssize_t got = recvmsg(fd(), &call, MSG_DONTWAIT);
  if (got < 0) return IsPassing(errno) ? Result::kOk : Result::kShouldWait;
  if (got == 0) return Result::kFailedPrecondition;
  if (call.msg_flags & MSG_CTRUNC) return Result::kAborted;  // none may be here
  return parser_.Filled(static_cast<size_t>(got), frames) ? Result::kOk : Result::kAborted;
}

Result Channel::ReceiveDescriptors(size_t count, std::vector<InFrame>* frames) {
  RaiseDescriptorLimit();
  if (!HasRoomForDescriptors(fd(), count)) return Result::kResourceExhausted;
  FrameHeader header;
  iovec part{&header, sizeof header};
  ReceiveControl control;
  msghdr call{};
  call.msg_iov = &part;
  call.msg_iovlen = 1;
  call.msg_control = &control;
  call.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(fd(), &call, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  std::vector<ScopedFd> descriptors;
  if (got > 0) {
    for (cmsghdr* each = CMSG_FIRSTHDR(&call); each; each = CMSG_NXTHDR(&call, each)) {
      if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
      const size_t fds = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < fds; ++i) {
        int fd;
        memcpy(&fd, CMSG_DATA(each) + i * sizeof fd, sizeof fd);
        descriptors.push_back(MoveHigh(ScopedFd(fd)));
      }
    }
  }
  // Lost descriptors cannot be had again, and what they were for is unknown.
  if (got != static_cast<ssize_t>(sizeof header) || (call.msg_flags & MSG_CTRUNC) ||
      descriptors.size() != count) {
    return Result::kAborted;
  }
  parser_.AddDescriptors(std::move(descriptors));
  return parser_.Feed(reinterpret_cast<uint8_t*>(&header), sizeof header, frames)
             ? Result::kOk
             : Result::kAborted;
}

Result Channel::Receive(std::vector<InFrame>* frames) {
  const Result result = ReceiveByRing(frames);
  if (!frames->empty()) {
    NoteProcessor(static_cast<int>(frames->back().header.processor) - 1);
    // The first: that is what ended a wait. Those in a ring do not say.
    NoteSentAt(frames->front().header);
  }
  return result;
}

// Without room for it a ring is not wanted: the message goes on by the socket. False: it is no offer.
bool Channel::DropOffer(const uint8_t* bytes, size_t nbytes) {
  FrameHeader header;
  if (nbytes < sizeof header) return false;
  memcpy(&header, bytes, sizeof header);
  if (!header.IsValid() || header.type != FrameType::kRingOffer) return false;
  // Without room for descriptors they are closed.
  return recv(fd(), &header, sizeof header, MSG_DONTWAIT) == sizeof header;
}

// kOk without frames: it has looked `rounds` times, and there is more.
Result Channel::ReceiveSome(std::vector<InFrame>* frames, int* rounds) {
  while (frames->empty()) {
    if ((*rounds)-- <= 0) return Result::kOk;
    if (parser_.body_missing() >= kLongBody) {
      const Result result = ReceiveBody(frames);
      if (result != Result::kOk) return result;
      continue;
    }
    // A look without room for descriptors says whether there are any, and loses none of them.
    uint8_t* const bytes = ReceiveBuffer();
    iovec part{bytes, kReceiveBuffer};
    msghdr call{};
    call.msg_iov = &part;
    call.msg_iovlen = 1;
    const ssize_t seen = recvmsg(fd(), &call, MSG_DONTWAIT | MSG_PEEK);
    if (seen < 0) {
      if (IsPassing(errno)) continue;  // told once; what was sent before is there
      return Result::kShouldWait;
    }
    if (seen == 0) return Result::kFailedPrecondition;
    size_t wanted = static_cast<size_t>(seen);
    if (call.msg_flags & MSG_CTRUNC) {
      // A look that ends just before them sees them, too: then they come next.
      size_t count = 0;
      if (parser_.FindDescriptors(bytes, wanted, &wanted, &count) && wanted == 0) {
        const Result result = ReceiveDescriptors(count, frames);
        if (result == Result::kResourceExhausted &&
            DropOffer(bytes, static_cast<size_t>(seen))) {
          continue;
        }
        if (result != Result::kOk) return result;
        continue;
      }
    }
    part.iov_len = wanted;
    const ssize_t got = recvmsg(fd(), &call, MSG_DONTWAIT);
    // What was seen is there, and descriptors may only be where a header announces them.
    if (got <= 0 || (call.msg_flags & MSG_CTRUNC)) return Result::kAborted;
    if (!parser_.Feed(bytes, static_cast<size_t>(got), frames)) return Result::kAborted;
  }
  return Result::kOk;
}

}  // namespace mojo_seq
