#include "platform_handle.h"

#include <fcntl.h>

namespace mojo_seq {

Result PlatformHandle::Wrap(int fd, Ref<PlatformHandle>* handle) {
  if (fd < 0 || fcntl(fd, F_GETFD) < 0) return Result::kInvalidArgument;
  *handle = Ref<PlatformHandle>::Adopt(new PlatformHandle(ScopedFd(fd)));
  return Result::kOk;
}

Result PlatformHandle::Unwrap(HandleValue value, int* fd) {
  Garbage garbage;
  Lock lock(this);
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  RetireLocked(&garbage);
  *fd = fd_.Detach();
  return Result::kOk;
}

void PlatformHandle::CloseLocked(Garbage* garbage) {
  // close() of a descriptor may block (a socket that lingers, a file on a network): not under the
  // lock, which other handles share.
  if (fd_.is_valid()) garbage->objects.emplace_back(MakeRef<SharedFd>(std::move(fd_)));
}

}  // namespace mojo_seq
