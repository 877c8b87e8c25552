// Sockets for tests: pipes whose two ends are both remote, and peers that are nothing but a socket.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "frame.h"
#include "message_pipes.h"
#include "socket.h"
#include "wait.h"

namespace mojo_seq::testing {

// The kernel makes the smallest buffer of it that it knows: one or two small messages.
constexpr int kTinyBuffer = 1;
// Longer than anything takes; for what must happen.
constexpr Time kSoon = 30'000'000'000;

struct SocketPair {
  // `buffer`: of what either end sends; 0 leaves it at what is usual.
  explicit SocketPair(int buffer = 0) {
    CHECK_OK(CreateSocketPair(&a, &b));
    if (buffer == 0) return;
    for (const ScopedFd* each : {&a, &b}) {
      CHECK_EQ(setsockopt(each->get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer), 0);
    }
  }
  ScopedFd a, b;
};

// Two ends in this process, each of which believes the other to be in another one.
struct RemotePipe {
  explicit RemotePipe(int buffer = 0) {
    SocketPair sockets(buffer);
    a = PipeEnd(MessagePipeEndpoint::FromSocket(std::move(sockets.a)));
    b = PipeEnd(MessagePipeEndpoint::FromSocket(std::move(sockets.b)));
  }
  PipeEnd a, b;
};

// A pipe of which one end is only a socket, for a test that says or hears itself what goes over it.
struct HalfPipe {
  explicit HalfPipe(int buffer = 0) {
    SocketPair sockets(buffer);
    end = PipeEnd(MessagePipeEndpoint::FromSocket(std::move(sockets.a)));
    peer = std::move(sockets.b);
  }
  PipeEnd end;
  ScopedFd peer;
};

// --- raw bytes and descriptors ---

// One sendmsg. How much the kernel took, or -errno.
inline ssize_t SendRaw(int fd, const void* data, size_t nbytes, const std::vector<int>& fds = {},
                       int flags = 0) {
  iovec part{const_cast<void*>(data), nbytes};
  msghdr call{};
  call.msg_iov = &part;
  call.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(sizeof(int) * fds.size()));
  if (!fds.empty()) {
    call.msg_control = control.data();
    call.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&call);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  const ssize_t sent = sendmsg(fd, &call, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
  return sent < 0 ? -errno : sent;
}

// All of it at once, which must be possible.
template <typename Bytes>
void SendAllRaw(int fd, const Bytes& bytes, const std::vector<int>& fds = {}) {
  CHECK_EQ(SendRaw(fd, bytes.data(), bytes.size(), fds), static_cast<ssize_t>(bytes.size()));
}

// Something that was received in one piece: descriptors come with the first of its bytes.
struct Chunk {
  std::vector<uint8_t> bytes;
  std::vector<ScopedFd> descriptors;
};

// One recvmsg. False: there is nothing now, or never again.
inline bool ReceiveRaw(int fd, Chunk* chunk, size_t most = 256 * 1024) {
  chunk->bytes.resize(most);
  chunk->descriptors.clear();
  iovec part{chunk->bytes.data(), most};
  msghdr call{};
  call.msg_iov = &part;
  call.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(sizeof(int) * kMaxFrameDescriptors));
  call.msg_control = control.data();
  call.msg_controllen = control.size();
  const ssize_t got = recvmsg(fd, &call, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  chunk->bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  if (got <= 0) return false;
  CHECK_EQ(call.msg_flags & MSG_CTRUNC, 0);
  for (cmsghdr* each = CMSG_FIRSTHDR(&call); each; each = CMSG_NXTHDR(&call, each)) {
    const size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int received;
      memcpy(&received, CMSG_DATA(each) + i * sizeof received, sizeof received);
      chunk->descriptors.emplace_back(received);
    }
  }
  return true;
}

// Everything that is there now, as it was sent: each piece with descriptors begins a chunk.
inline std::vector<Chunk> ReceiveAllRaw(int fd) {
  std::vector<Chunk> chunks;
  for (Chunk chunk; ReceiveRaw(fd, &chunk); chunk = Chunk()) {
    if (!chunks.empty() && chunk.descriptors.empty()) {
      std::vector<uint8_t>& last = chunks.back().bytes;
      last.insert(last.end(), chunk.bytes.begin(), chunk.bytes.end());
    } else {
      chunks.push_back(std::move(chunk));
    }
  }
  return chunks;
}

// --- waiting ---

// True if it comes to pass, false if it never can.
template <typename T>
bool Await(const Handle<T>& handle, Signals signals, Time patience = kSoon) {
  Waiter waiter;
  CHECK_OK(waiter.Add(handle.get(), handle.value(), signals));
  Result result;
  do {
    ApiCall call;
    result = waiter.Wait(Now() + patience);
  } while (result == Result::kShouldWait);
  CHECK_OK(result);
  return waiter.result() == Result::kOk;
}

// What a read gives when it no longer has to wait.
inline Result AwaitRead(const PipeEnd& end, OwnedMessage* message) {
  for (;;) {
    const Result result = Read(end, message);
    if (result != Result::kShouldWait) return result;
    if (!Await(end, kSignalReadable)) return Read(end, message);
  }
}
inline std::string AwaitText(const PipeEnd& end) {
  OwnedMessage message;
  CHECK_OK(AwaitRead(end, &message));
  return TextOf(*message);
}
template <typename T>
Handle<T> AwaitHandle(const PipeEnd& end) {
  OwnedMessage message;
  CHECK_OK(AwaitRead(end, &message));
  CHECK_EQ(message->dispatchers.size(), 1u);
  return Receive<T>(TakeDispatchers(*message)[0]);
}

// Until `condition`, or the test has failed.
template <typename F>
void Until(F&& condition) {
  const Time deadline = Now() + kSoon;
  while (!condition()) {
    CHECK(Now() < deadline);
    usleep(200);
  }
}

// --- contents ---

// Bytes that tell a message from every other one.
inline std::string Pattern(size_t nbytes, uint64_t seed) {
  std::string text(nbytes, '\0');
  uint64_t state = seed * 0x9e3779b97f4a7c15 + nbytes;
  for (size_t i = 0; i < nbytes; ++i) {
    if (i % 8 == 0) state = state * 6364136223846793005 + 1442695040888963407;
    text[i] = static_cast<char>(state >> (56 - i % 8 * 7));
  }
  return text;
}

}  // namespace mojo_seq::testing
