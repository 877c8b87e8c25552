#include "scoped_fd.h"

#include <fcntl.h>
#include <unistd.h>

namespace mojo_seq {

ScopedFd::~ScopedFd() {
  if (fd_ >= 0) close(fd_);
}

ScopedFd MoveHigh(ScopedFd fd) {
  constexpr int kFirstHigh = 1024;
  if (!fd.is_valid() || fd.get() >= kFirstHigh) return fd;
  const int high = fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstHigh);
  if (high < 0) return fd;  // the limit is lower than that: a low number is better than none
  return ScopedFd(high);
}

}  // namespace mojo_seq
