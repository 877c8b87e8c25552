#include "segment_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "segment_pool.h"

namespace mojo_seq {

namespace {

// A few sizes, so that memory fits again: steps of an eighth.
size_t RoundUp(size_t nbytes) {
  size_t step = PageSize();
  while (step * 16 < nbytes) step *= 2;
  return (nbytes + step - 1) / step * step;
}

}  // namespace

size_t SegmentMemory::WholeSize(size_t capacity) {
  return capacity > MaxSharedMemory() ? SIZE_MAX : PageSize() + RoundUp(capacity);
}

SegmentMemory::Ptr SegmentMemory::Make(size_t capacity) {
  const size_t whole = WholeSize(capacity);
  ScopedFd fd;
  if (CreateSharedMemory(whole, &fd) != Result::kOk) return nullptr;
  return MapWhole(std::move(fd), whole, true, false);
}

SegmentMemory::Ptr SegmentMemory::Map(ScopedFd fd) {
  struct stat info;
  if (!IsSealedMemory(fd.get()) || fstat(fd.get(), &info) != 0 || info.st_size < 0) return nullptr;
  const size_t whole = static_cast<size_t>(info.st_size);
  if (whole < PageSize()) return nullptr;
  // All pages at once, where the sender has filled them: nobody makes us fill them instead.
  const bool filled = static_cast<uint64_t>(info.st_blocks) * 512 >= whole;
  return MapWhole(std::move(fd), whole, false, filled);
}

SegmentMemory::Ptr SegmentMemory::MapWhole(ScopedFd fd, size_t nbytes, bool made, bool populate) {
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return nullptr;
  void* const base = mmap(nullptr, nbytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED | (populate ? MAP_POPULATE : 0), fd.get(), 0);
  if (base == MAP_FAILED) return nullptr;
  return Ptr(new SegmentMemory(std::move(fd), static_cast<uint8_t*>(base), nbytes, info.st_dev,
                               info.st_ino, made));
}

SegmentMemory::SegmentMemory(ScopedFd fd, uint8_t* base, size_t nbytes, dev_t device, ino_t inode,
                             bool made)
    : fd(MakeRef<SharedFd>(std::move(fd))),
      made(made),
      forks(SegmentPool::Forks()),
      base_(base),
      nbytes_(nbytes),
      device_(device),
      inode_(inode) {
  SegmentPool::Get().AddMapped(nbytes);
}

SegmentMemory::~SegmentMemory() {
  if (!IsInherited()) {
    if (made) head()->marks.fetch_or(2, std::memory_order_acq_rel);
    SegmentPool::Get().RemoveMapped(nbytes_);
    if (!pipes.empty()) SegmentPool::Get().Forget(this);
  }
  munmap(base_, nbytes_);
}

}  // namespace mojo_seq
