// Shared memory: creating and checking memfds, and mapping them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "live_count.h"
#include "ref.h"
#include "result.h"
#include "scoped_fd.h"

namespace mojo_seq {

// More than the machine has can be promised by the kernel, but not kept: touching it would kill
// the process. kResourceExhausted is the honest answer.
size_t MaxSharedMemory();
size_t PageSize();

// A zero-filled memfd of `nbytes` that can no longer change its size.
Result CreateSharedMemory(size_t nbytes, ScopedFd* fd, const char* name = "mojo_seq");

// kInvalidArgument unless `fd` is memory or a file of at least `nbytes` that can be mapped with
// the rights claimed. A memfd is sealed against shrinking, since a mapping of what is no longer
// there kills the process that touches it.
Result CheckSharedMemory(int fd, size_t nbytes, bool read_only);

// True for memory that nobody can shrink. To be asked first of a descriptor that somebody sent: it
// never waits, as other questions do if there is a slow file system behind it.
bool IsSealedMemory(int fd);

// A new descriptor of the same memory that cannot be written or mapped writable.
Result ReopenReadOnly(int fd, ScopedFd* read_only);

// A range of shared memory in the address space. The addresses stay reserved until the object
// dies; Unmap only takes the memory away and leaves zero pages, so that pointers which others
// kept without telling us (numpy does) never reach memory that belongs to somebody else.
class Mapping : public RefCounted {
 public:
  static Result Map(int fd, size_t offset, size_t nbytes, bool read_only, Ref<Mapping>* mapping);
  // A ring: the first `nbytes` (a multiple of the page size) mapped twice in a row.
  static Result MapTwice(int fd, size_t nbytes, Ref<Mapping>* mapping);
  ~Mapping() override;

  uint8_t* data() const { return data_; }
  size_t nbytes() const { return nbytes_; }
  bool read_only() const { return read_only_; }

  // Views keep the memory. kFailedPrecondition: already unmapped.
  Result AddExport();
  void DropExport();
  // kBusy: there are views. kOk also when it is unmapped already.
  Result Unmap();
  bool is_mapped();

 private:
  Mapping(uint8_t* base, size_t reserved, uint8_t* data, size_t nbytes, bool read_only)
      : base_(base), reserved_(reserved), data_(data), nbytes_(nbytes), read_only_(read_only) {}

  uint8_t* const base_;
  const size_t reserved_;
  uint8_t* const data_;
  const size_t nbytes_;
  const bool read_only_;
  std::mutex mutex_;
  bool mapped_ = true;   // mutex_
  size_t exports_ = 0;   // mutex_
  LiveCounter<Kind::kMapping> counter_;
};

}  // namespace mojo_seq
