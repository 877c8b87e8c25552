#include "shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mojo_seq {

size_t PageSize() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

size_t MaxSharedMemory() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * PageSize();
  return size;
}

Result CreateSharedMemory(size_t nbytes, ScopedFd* fd, const char* name) {
  if (nbytes > MaxSharedMemory()) return Result::kResourceExhausted;
  ScopedFd memory = MoveHigh(ScopedFd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)));
  if (!memory.is_valid()) return Result::kResourceExhausted;
  if (ftruncate(memory.get(), static_cast<off_t>(nbytes)) != 0) return Result::kResourceExhausted;
  if (fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return Result::kInternal;
  }
  *fd = std::move(memory);
  return Result::kOk;
}

Result CheckSharedMemory(int fd, size_t nbytes, bool read_only) {
  struct stat info;
  if (nbytes == 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return Result::kInvalidArgument;
  }
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals >= 0 && !(seals & F_SEAL_SHRINK) && !(seals & F_SEAL_SEAL)) {
    // Refused where the descriptor is read-only; then the creator's word has to do.
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0 && fstat(fd, &info) != 0) {
      return Result::kInvalidArgument;
    }
  }
  if (info.st_size < 0 || static_cast<uint64_t>(info.st_size) < nbytes) {
    return Result::kInvalidArgument;
  }
  void* const probe =
      mmap(nullptr, nbytes, read_only ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (probe == MAP_FAILED) {
    return errno == ENOMEM ? Result::kResourceExhausted : Result::kInvalidArgument;
  }
  munmap(probe, nbytes);
  return Result::kOk;
}

bool IsSealedMemory(int fd) {
  const int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK);
}

Result ReopenReadOnly(int fd, ScopedFd* read_only) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ScopedFd opened = MoveHigh(ScopedFd(open(path, O_RDONLY | O_CLOEXEC)));
  if (!opened.is_valid()) {
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? Result::kResourceExhausted
                                                                 : Result::kPermissionDenied;
  }
  *read_only = std::move(opened);
  return Result::kOk;
}

Result Mapping::Map(int fd, size_t offset, size_t nbytes, bool read_only, Ref<Mapping>* mapping) {
  const size_t start = offset / PageSize() * PageSize();
  const size_t lead = offset - start;
  void* const base = mmap(nullptr, lead + nbytes, read_only ? PROT_READ : PROT_READ | PROT_WRITE,
                          MAP_SHARED, fd, static_cast<off_t>(start));
  if (base == MAP_FAILED) return Result::kResourceExhausted;
  auto* const bytes = static_cast<uint8_t*>(base);
  *mapping =
      Ref<Mapping>::Adopt(new Mapping(bytes, lead + nbytes, bytes + lead, nbytes, read_only));
  return Result::kOk;
}

Result Mapping::MapTwice(int fd, size_t nbytes, Ref<Mapping>* mapping) {
  void* const base = mmap(nullptr, 2 * nbytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return Result::kResourceExhausted;
  auto* const bytes = static_cast<uint8_t*>(base);
  for (uint8_t* half : {bytes, bytes + nbytes}) {
    if (mmap(half, nbytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
      munmap(base, 2 * nbytes);
      return Result::kResourceExhausted;
    }
  }
  *mapping = Ref<Mapping>::Adopt(new Mapping(bytes, 2 * nbytes, bytes, nbytes, false));
  return Result::kOk;
}

Mapping::~Mapping() { munmap(base_, reserved_); }

Result Mapping::AddExport() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!mapped_) return Result::kFailedPrecondition;
  ++exports_;
  return Result::kOk;
}

void Mapping::DropExport() {
  std::lock_guard<std::mutex> lock(mutex_);
  --exports_;
}

Result Mapping::Unmap() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!mapped_) return Result::kOk;
  if (exports_ > 0) return Result::kBusy;
  const int protection = read_only_ ? PROT_READ : PROT_READ | PROT_WRITE;
  void* const blank = mmap(base_, reserved_, protection,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  if (blank == MAP_FAILED) return Result::kResourceExhausted;
  mapped_ = false;
  return Result::kOk;
}

bool Mapping::is_mapped() {
  std::lock_guard<std::mutex> lock(mutex_);
  return mapped_;
}

}  // namespace mojo_seq
