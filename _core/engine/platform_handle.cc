#include "platform_handle.h"

#include <fcntl.h>

#include "bundle.h"

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

bool PlatformHandle::HasDescriptor() const {
  Lock lock(this);
  return fcntl(fd_.get(), F_GETFD) >= 0;
}

void PlatformHandle::Pack(BundleWriter* writer) {
  Lock lock(this);
  writer->Descriptor(MakeRef<SharedFd>(std::move(fd_)));
  EndLocked();
}

Ref<Dispatcher> PlatformHandle::Unpack(BundleReader* reader) {
  ScopedFd fd;
  if (!reader->Descriptor(&fd)) return nullptr;
  return Ref<PlatformHandle>::Adopt(new PlatformHandle(std::move(fd)));
}

void PlatformHandle::CloseLocked(Garbage* garbage) {
  // close() of a descriptor may block (a socket that lingers, a file on a network): not under the
  // lock, which other handles share.
  if (fd_.is_valid()) garbage->objects.emplace_back(MakeRef<SharedFd>(std::move(fd_)));
}

}  // namespace mojo_seq
