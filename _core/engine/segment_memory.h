// Segment memory: what is behind a segment in one process. A page for its head, then the bytes.
//
// The head is how the processes that map it tell each other who still does. Anybody who can map the
// memory can write there: what it says decides about nothing but when the memory is used again.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <utility>

#include "fork.h"
#include "scoped_fd.h"
#include "shared_memory.h"

namespace mojo_seq {

class SegmentMemory {
 public:
  using Ptr = std::unique_ptr<SegmentMemory>;

  // Fresh memory for so many bytes. Null: there is none, or no descriptor for it.
  static Ptr Make(size_t capacity);
  // Of a descriptor that somebody sent. Null: it is not memory of a size that nobody can change, or
  // it cannot be mapped.
  static Ptr Map(ScopedFd fd);
  // What Map would map for that many bytes.
  static size_t WholeSize(size_t capacity);
  ~SegmentMemory();
  SegmentMemory(const SegmentMemory&) = delete;
  SegmentMemory& operator=(const SegmentMemory&) = delete;

  // Holders in all processes but the one that made it, those on the way to them counted.
  std::atomic<uint32_t>& holders() const { return head()->holders; }
  // Who received it has sent it on: nobody knows who may still see it.
  bool was_forwarded() const { return (head()->marks.load(std::memory_order_acquire) & 1) != 0; }
  void MarkForwarded() { head()->marks.fetch_or(1, std::memory_order_acq_rel); }
  // Who made it will not use it again: it will not come again.
  bool is_given_up() const { return (head()->marks.load(std::memory_order_acquire) & 2) != 0; }

  uint8_t* data() const { return base_ + PageSize(); }
  size_t capacity() const { return nbytes_ - PageSize(); }
  size_t nbytes() const { return nbytes_; }
  bool IsSame(dev_t device, ino_t inode) const { return inode_ == inode && device_ == device; }
  std::pair<dev_t, ino_t> identity() const { return {device_, inode_}; }
  bool IsInherited() const { return generation_ != ForkGeneration(); }

  bool WasLentOn(uint64_t pipe) const { return pipes.count(pipe) != 0; }

  Ref<SharedFd> fd;               // null in the cache of received ones
  const bool made;                // by this process, which decides when it is used again
  // The owner's, as all below.
  std::unordered_set<uint64_t> pipes;  // that it was lent on, or came on; by number
  bool shared = false;            // it was lent on several, or to be shared by all who get it
  bool spoiled = false;           // somebody died with it: it is not used again
  uint32_t forks;                 // of this process when it was taken for use
  int64_t given = 0;              // when it was last given back

 private:
  struct Head {
    std::atomic<uint32_t> holders;
    std::atomic<uint32_t> marks;
  };

  SegmentMemory(ScopedFd fd, uint8_t* base, size_t nbytes, dev_t device, ino_t inode, bool made);
  static Ptr MapWhole(ScopedFd fd, size_t nbytes, bool made, bool populate);
  Head* head() const { return reinterpret_cast<Head*>(base_); }

  uint8_t* const base_;
  const size_t nbytes_;
  const dev_t device_;
  const ino_t inode_;
  const uint32_t generation_ = ForkGeneration();
};

}  // namespace mojo_seq
