// ScopedFd: a file descriptor with an owner.
#pragma once

#include <utility>

#include "ref.h"

namespace mojo_seq {

// Every descriptor that has an owner is also known by its number, so that a forked child can close
// its copies without looking at any object. The objects there know that theirs are gone.
class ScopedFd {
 public:
  ScopedFd() = default;
  explicit ScopedFd(int fd);
  ScopedFd(ScopedFd&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), generation_(other.generation_) {}
  ScopedFd& operator=(ScopedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(generation_, other.generation_);
    return *this;
  }
  ~ScopedFd();

  int get() const { return fd_; }
  bool is_valid() const { return fd_ >= 0; }
  int Detach();

 private:
  int fd_ = -1;
  uint32_t generation_ = 0;
};

void CloseInheritedDescriptors();

// The same, shared by several owners.
struct SharedFd : public RefCounted {
  explicit SharedFd(ScopedFd owned) : fd(std::move(owned)) {}
  ScopedFd fd;
};

// A close-on-exec duplicate above the numbers that select() can handle, so that programs that
// use it keep theirs. The original is closed. On failure the original is returned as it is.
ScopedFd MoveHigh(ScopedFd fd);

}  // namespace mojo_seq
