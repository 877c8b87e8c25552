#include "shared_buffer.h"

#include <errno.h>
#include <fcntl.h>

#include "bundle.h"

namespace mojo_seq {

Result SharedBuffer::Create(size_t nbytes, const Guid& guid, Ref<SharedBuffer>* buffer) {
  if (nbytes == 0) return Result::kInvalidArgument;
  ScopedFd fd;
  const Result result = CreateSharedMemory(nbytes, &fd);
  if (result != Result::kOk) return result;
  *buffer = Ref<SharedBuffer>::Adopt(
      new SharedBuffer(MakeRef<SharedFd>(std::move(fd)), nbytes, guid, false));
  return Result::kOk;
}

Result SharedBuffer::Wrap(const SharedBufferInfo& info, Ref<SharedBuffer>* buffer) {
  const int flags = fcntl(info.fd, F_GETFL);
  if (flags < 0) return Result::kInvalidArgument;
  const int access = flags & O_ACCMODE;
  if (access == O_WRONLY || (access == O_RDONLY && !info.read_only)) {
    return Result::kInvalidArgument;
  }
  const Result checked = CheckSharedMemory(info.fd, info.nbytes, info.read_only);
  if (checked != Result::kOk) return checked;
  ScopedFd reopened;
  if (info.read_only && access == O_RDWR) {
    const Result result = ReopenReadOnly(info.fd, &reopened);
    if (result != Result::kOk) return result;
  }
  ScopedFd owned(info.fd);  // from here on nothing fails
  if (reopened.is_valid()) owned = std::move(reopened);
  fcntl(owned.get(), F_SETFD, FD_CLOEXEC);
  *buffer = Ref<SharedBuffer>::Adopt(new SharedBuffer(MakeRef<SharedFd>(std::move(owned)),
                                                      info.nbytes, info.guid, info.read_only));
  return Result::kOk;
}

Result SharedBuffer::Duplicate(HandleValue value, bool read_only, Ref<SharedBuffer>* duplicate) {
  Ref<SharedFd> fd;
  {
    Lock lock(this);
    if (!IsOpenLocked(value)) return Result::kInvalidArgument;
    fd = fd_;
  }
  if (read_only && !read_only_) {
    ScopedFd reopened;
    const Result result = ReopenReadOnly(fd->fd.get(), &reopened);
    if (result != Result::kOk) return result;
    fd = MakeRef<SharedFd>(std::move(reopened));
  }
  *duplicate = Ref<SharedBuffer>::Adopt(
      new SharedBuffer(std::move(fd), nbytes_, guid_, read_only || read_only_));
  return Result::kOk;
}

Result SharedBuffer::Map(HandleValue value, size_t offset, size_t nbytes, Ref<Mapping>* mapping) {
  Ref<SharedFd> fd;
  {
    Lock lock(this);
    if (!IsOpenLocked(value)) return Result::kInvalidArgument;
    fd = fd_;
  }
  if (nbytes == 0 || offset > nbytes_ || nbytes > nbytes_ - offset) {
    return Result::kInvalidArgument;
  }
  return Mapping::Map(fd->fd.get(), offset, nbytes, read_only_, mapping);
}

Result SharedBuffer::Unwrap(HandleValue value, SharedBufferInfo* info) {
  Garbage garbage;
  Lock lock(this);
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  // Others may share the descriptor; the caller gets one of its own.
  ScopedFd own;
  if (fd_->HasOneRef()) {
    own = ScopedFd(fd_->fd.Detach());
  } else {
    own = ScopedFd(fcntl(fd_->fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!own.is_valid()) return Result::kResourceExhausted;
  }
  *info = {own.Detach(), nbytes_, guid_, read_only_};
  RetireLocked(&garbage);
  CloseLocked(&garbage);
  return Result::kOk;
}

bool SharedBuffer::IsSealed() const {
  Lock lock(this);
  return !fd_ || IsSealedMemory(fd_->fd.get());
}

void SharedBuffer::Pack(BundleWriter* writer) {
  Lock lock(this);
  writer->Number<uint64_t>(nbytes_);
  writer->Bytes(guid_.data(), guid_.size());
  writer->Number<uint8_t>(read_only_);
  writer->Descriptor(std::move(fd_));
  EndLocked();
}

Ref<Dispatcher> SharedBuffer::Unpack(BundleReader* reader) {
  SharedBufferInfo info;
  uint64_t nbytes = 0;
  uint8_t read_only = 0;
  ScopedFd fd;
  if (!reader->Number(&nbytes) || !reader->Bytes(info.guid.data(), info.guid.size()) ||
      !reader->Number(&read_only) || read_only > 1 || !reader->Descriptor(&fd)) {
    return nullptr;
  }
  // Memory that shrinks under a mapping kills whoever touches it.
  if (!IsSealedMemory(fd.get())) return nullptr;
  info.fd = fd.get();
  info.nbytes = nbytes;
  info.read_only = read_only != 0;
  Ref<SharedBuffer> buffer;
  if (Wrap(info, &buffer) != Result::kOk) return nullptr;
  fd.Detach();
  return buffer;
}

void SharedBuffer::CloseLocked(Garbage* garbage) {
  garbage->objects.emplace_back(std::move(fd_));
}

}  // namespace mojo_seq
