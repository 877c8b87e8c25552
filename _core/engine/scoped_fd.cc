#include "scoped_fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "fork.h"

namespace mojo_seq {

namespace {

// One bit for each number that has an owner. Higher ones than these are not closed in forked
// children.
constexpr size_t kNumbers = size_t{1} << 20;
std::atomic<uint64_t> owned[kNumbers / 64];

void SetOwned(int fd, bool is_owned) {
  if (static_cast<size_t>(fd) >= kNumbers) return;
  const uint64_t bit = uint64_t{1} << (fd % 64);
  if (is_owned) {
    owned[fd / 64].fetch_or(bit, std::memory_order_relaxed);
  } else {
    owned[fd / 64].fetch_and(~bit, std::memory_order_relaxed);
  }
}

constexpr int kFirstHigh = 1024;

// The kernel's table of a process's descriptors doubles when a number does not fit, and where there
// are several threads that takes 10 to 20 ms, which all of them spend waiting if they want a
// descriptor. The first high number costs it in any case: with this one the table is large enough
// for long (and has 8 bytes for each).
constexpr rlim_t kTable = 16'384;
constexpr uint32_t kNotYet = ~uint32_t{0};
std::atomic<uint32_t> grown_in{kNotYet};  // fork generation: a child's table is small again

void GrowDescriptorTable(int fd) {
  const uint32_t generation = ForkGeneration();
  rlimit limit{};
  if (grown_in.load(std::memory_order_relaxed) == generation) return;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kFirstHigh) return;
  if (grown_in.exchange(generation, std::memory_order_relaxed) == generation) return;
  const rlim_t last = std::min(limit.rlim_cur, kTable) - 1;
  ScopedFd(fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(last)));  // closed again
}

}  // namespace

ScopedFd::ScopedFd(int fd) : fd_(fd), generation_(ForkGeneration()) {
  if (fd >= 0) SetOwned(fd, true);
}

int ScopedFd::Detach() {
  if (fd_ >= 0 && generation_ == ForkGeneration()) SetOwned(fd_, false);
  return std::exchange(fd_, -1);
}

ScopedFd::~ScopedFd() {
  if (fd_ < 0 || generation_ != ForkGeneration()) return;
  SetOwned(fd_, false);
  close(fd_);
}

void CloseInheritedDescriptors() {
  for (size_t block = 0; block < kNumbers / 64; ++block) {
    if (owned[block].load(std::memory_order_relaxed) == 0) continue;
    uint64_t bits = owned[block].exchange(0, std::memory_order_relaxed);
    for (int bit = 0; bits != 0; ++bit, bits >>= 1) {
      if (bits & 1) close(static_cast<int>(block * 64) + bit);
    }
  }
}

ScopedFd MoveHigh(ScopedFd fd) {
  if (!fd.is_valid() || fd.get() >= kFirstHigh) return fd;
  GrowDescriptorTable(fd.get());
  const int high = fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstHigh);
  if (high < 0) return fd;  // the limit is lower than that: a low number is better than none
  return ScopedFd(high);
}

}  // namespace mojo_seq
