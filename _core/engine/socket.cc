#include "socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <vector>

namespace mojo_seq {

namespace {

#ifndef SO_COOKIE
constexpr int SO_COOKIE = 57;
#endif

std::once_flag limit_raised;
std::atomic<uint64_t> initial_limit{0};

uint64_t SoftLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

Result CreateSocketPair(ScopedFd* a, ScopedFd* b) {
  RaiseDescriptorLimit();
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return Result::kResourceExhausted;
  }
  *a = MoveHigh(ScopedFd(fds[0]));
  *b = MoveHigh(ScopedFd(fds[1]));
  return Result::kOk;
}

bool IsConnectedSocket(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return false;
  size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return false;
  // A socket whose other end is gone was connected once, and says so by its hang-up. One that never
  // was, or listens, says that it has no peer.
  sockaddr_storage peer;
  size = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

void PlainSocket(int fd) {
  const auto set = [fd](int option, int value) {
    // An option that this kernel does not know cannot be set either.
    setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
  };
  set(SO_OOBINLINE, 1);  // a byte out of band would be something to poll for and never to read
  set(SO_PEEK_OFF, -1);
  set(SO_PASSCRED, 0);
  set(SO_PASSSEC, 0);
}

uint64_t SocketCookie(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

short PollSocket(int fd, short events) {
  pollfd entry{fd, events, 0};
  return poll(&entry, 1, 0) > 0 ? entry.revents : 0;
}

void RaiseDescriptorLimit() {
  std::call_once(limit_raised, [] {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    initial_limit.store(limit.rlim_cur, std::memory_order_relaxed);
    if (limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);  // where it is refused, the old one has to do
  });
}

uint64_t InitialDescriptorLimit() {
  const uint64_t initial = initial_limit.load(std::memory_order_relaxed);
  return initial != 0 ? initial : SoftLimit();
}

bool HasRoomForDescriptors(int fd, size_t count) {
  std::vector<ScopedFd> taken;
  taken.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    taken.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!taken.back().is_valid()) return false;
  }
  return true;
}

}  // namespace mojo_seq
