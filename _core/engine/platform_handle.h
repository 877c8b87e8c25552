// Platform handle: a file descriptor that can travel in messages.
#pragma once

#include "dispatcher.h"
#include "scoped_fd.h"

namespace mojo_seq {

class BundleReader;

class PlatformHandle : public Dispatcher {
 public:
  // Takes the descriptor on kOk only. kInvalidArgument: not an open descriptor.
  static Result Wrap(int fd, Ref<PlatformHandle>* handle);
  // The handle ends and the caller owns the descriptor.
  Result Unwrap(HandleValue value, int* fd);

  // False: the descriptor was closed by somebody who does not own it.
  bool HasDescriptor() const;
  void Pack(BundleWriter* writer) override;
  static Ref<Dispatcher> Unpack(BundleReader* reader);

 protected:
  void CloseLocked(Garbage* garbage) override;

 private:
  explicit PlatformHandle(ScopedFd fd)
      : Dispatcher(HandleType::kPlatformHandle, PickStripe()), fd_(std::move(fd)) {}

  ScopedFd fd_;  // lock_
};

}  // namespace mojo_seq
