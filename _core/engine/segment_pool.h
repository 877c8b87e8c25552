// Segment pool: the segments of this process, those in use and the memory kept for the next.
//
// Fresh shared pages cost ten times what copying into old ones does, so memory goes round: what was
// made here is used again when its last holder in any process has let go of it; of what was
// received the mapping is kept, and known again by its inode. Any thread. The mutex is below all
// others.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "ref.h"
#include "segment_memory.h"

namespace mojo_seq {

class Segment;

class SegmentPool {
 public:
  // Never destroyed: threads that outlive main() may still drop messages.
  static SegmentPool& Get();

  // Bytes and pieces of shared memory that this process has.
  struct Usage {
    size_t in_use = 0;   // views here, or messages here that are not yet sent or read
    size_t segments = 0;
    size_t lent = 0;     // made here; others use it
    size_t loans = 0;
    size_t kept = 0;     // for the next; nobody uses it
    size_t spares = 0;
  };
  Usage usage();

  // Memory that was made here and that nobody uses: for a payload on `pipe`, or to be shared.
  // Null: none fits.
  SegmentMemory::Ptr TakePrivate(size_t capacity, uint64_t pipe);
  SegmentMemory::Ptr TakeShared(size_t capacity);
  // What came again. With `made` also what was made here.
  SegmentMemory::Ptr TakeAgain(dev_t device, ino_t inode, bool made);
  // Nobody here uses it any more.
  void Give(SegmentMemory::Ptr memory);
  // What is kept and used by nobody, oldest first, until so many more bytes fit into the budget.
  bool MakeRoom(size_t nbytes);
  void Clear();

  // Segments, while they are alive.
  void Enter(Segment* segment);
  void Leave(Segment* segment);
  // The one that these bytes lie in; null: none.
  Ref<Segment> Find(const uint8_t* data, size_t nbytes);
  Ref<Segment> FindSame(dev_t device, ino_t inode);

  // The memory of a segment goes over the pipe with that number. False: not yet, for it went over
  // another, whose receiver may still see it.
  bool MayGoTo(const SegmentMemory& memory, uint64_t pipe);
  void GoesTo(SegmentMemory* memory, uint64_t pipe);
  bool CameOn(const SegmentMemory& memory, uint64_t pipe);
  // The other end of the pipe with that number may have died with what it had.
  void OnPipeGone(uint64_t pipe);
  // The memory is about to go. Without the mutex.
  void Forget(SegmentMemory* memory);
  // How often this process was forked. What is in use then may be looked at in the child for ever,
  // so it is not used again.
  static uint32_t Forks();
  static void BeforeFork();

  void AddMapped(size_t nbytes) { mapped_.fetch_add(nbytes, std::memory_order_relaxed); }
  void RemoveMapped(size_t nbytes) { mapped_.fetch_sub(nbytes, std::memory_order_relaxed); }

 private:
  using List = std::list<SegmentMemory::Ptr>;  // newest first

  template <typename Fits>
  SegmentMemory::Ptr TakeBest(size_t capacity, Fits fits);
  void LimitMadeLocked(List* dropped);
  void LimitReceivedLocked(List* dropped);
  static SegmentMemory::Ptr Remove(List* list, List::iterator it);

  std::mutex mutex_;
  List made_;      // mutex_, as all below
  List received_;
  std::map<const uint8_t*, Segment*> segments_;  // by where their bytes begin
  std::map<std::pair<dev_t, ino_t>, Segment*> by_inode_;
  // What was lent on a pipe or came on it, so that its end need not look through all there is.
  std::unordered_map<uint64_t, std::unordered_set<SegmentMemory*>> by_pipe_;
  std::atomic<size_t> mapped_{0};
};

}  // namespace mojo_seq
