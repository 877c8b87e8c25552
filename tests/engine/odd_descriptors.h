// Memory and descriptors of all kinds, as a peer may send them.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "scoped_fd.h"
#include "shared_memory.h"

namespace mojo_seq::testing {

constexpr int kSealedSize = F_SEAL_SHRINK | F_SEAL_GROW;

inline ScopedFd MakeMemory(size_t nbytes, int seals = kSealedSize) {
  ScopedFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK(fd.is_valid());
  CHECK_EQ(ftruncate(fd.get(), static_cast<off_t>(nbytes)), 0);
  if (seals != 0) CHECK_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}
inline ScopedFd MakeMemory(const std::vector<uint8_t>& contents, int seals = kSealedSize) {
  ScopedFd fd = MakeMemory(contents.size(), 0);
  CHECK_EQ(pwrite(fd.get(), contents.data(), contents.size(), 0),
           static_cast<ssize_t>(contents.size()));
  if (seals != 0) CHECK_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}
inline ScopedFd ReadOnly(const ScopedFd& memory) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", memory.get());
  return ScopedFd(open(path, O_RDONLY | O_CLOEXEC));
}
inline ScopedFd Duplicate(int fd) { return ScopedFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }
inline ScopedFd DevNull() { return ScopedFd(open("/dev/null", O_RDWR | O_CLOEXEC)); }

// An ordinary file, of this size, that has no name any more.
inline ScopedFd MakeFile(size_t nbytes) {
  ScopedFd fd(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  CHECK(fd.is_valid());
  CHECK_EQ(ftruncate(fd.get(), static_cast<off_t>(nbytes)), 0);
  return fd;
}

// One descriptor of each kind that is not memory; where it has a second end, that is closed.
inline std::vector<std::pair<std::string, ScopedFd>> OddDescriptors() {
  std::vector<std::pair<std::string, ScopedFd>> made;
  const auto add = [&](const char* what, int fd) { made.emplace_back(what, ScopedFd(fd)); };
  add("/dev/null", open("/dev/null", O_RDWR | O_CLOEXEC));
  add("/dev/zero", open("/dev/zero", O_RDWR | O_CLOEXEC));
  add("folder", open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  add("path", open("/tmp", O_PATH | O_CLOEXEC));
  add("file", MakeFile(1 << 20).Detach());
  int ends[2];
  CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
  add("read end of a pipe", ends[0]);
  add("write end of a pipe", ends[1]);
  add("eventfd", eventfd(0, EFD_CLOEXEC));
  add("epoll", epoll_create1(EPOLL_CLOEXEC));
  for (int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
    CHECK_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
    add("socket of another type", ends[0]);
    close(ends[1]);
  }
  add("socket that is not connected", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr any_name{AF_UNIX, {}};
  CHECK_EQ(bind(listener, &any_name, sizeof any_name.sa_family), 0);
  CHECK_EQ(listen(listener, 1), 0);
  add("socket that listens", listener);
  add("socket of the network", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  add("unsealed memory", MakeMemory(1 << 20, 0).Detach());
  add("memory that can shrink", MakeMemory(1 << 20, F_SEAL_GROW).Detach());
  add("memory that cannot be written", MakeMemory(1 << 20, kSealedSize | F_SEAL_WRITE).Detach());
  add("short memory", MakeMemory(1).Detach());
  add("empty memory", MakeMemory(0).Detach());
  for (const auto& [what, fd] : made) CHECK(fd.is_valid());
  return made;
}

}  // namespace mojo_seq::testing
