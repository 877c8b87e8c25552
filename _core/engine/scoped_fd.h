// ScopedFd: a file descriptor with an owner.
#pragma once

#include <utility>

#include "ref.h"

namespace mojo_seq {

class ScopedFd {
 public:
  ScopedFd() = default;
  explicit ScopedFd(int fd) : fd_(fd) {}
  ScopedFd(ScopedFd&& other) noexcept : fd_(other.Detach()) {}
  ScopedFd& operator=(ScopedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~ScopedFd();

  int get() const { return fd_; }
  bool is_valid() const { return fd_ >= 0; }
  int Detach() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// The same, shared by several owners.
struct SharedFd : public RefCounted {
  explicit SharedFd(ScopedFd owned) : fd(std::move(owned)) {}
  ScopedFd fd;
};

// A close-on-exec duplicate above the numbers that select() can handle, so that programs that
// use it keep theirs. The original is closed. On failure the original is returned as it is.
ScopedFd MoveHigh(ScopedFd fd);

}  // namespace mojo_seq
