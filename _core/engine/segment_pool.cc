#include "segment_pool.h"

#include <algorithm>

#include "event.h"
#include "memory_budget.h"
#include "segment.h"

namespace mojo_seq {

namespace {

constexpr size_t kMost = 128;  // each costs a descriptor
constexpr size_t kMostBytes = size_t{1} << 30;
// Whoever has a loan for longer has died without a word, or keeps it; and what nobody has asked for
// as long may not be needed again. That is found out when there is something to do.
constexpr Time kLongest = 60'000'000'000;

std::atomic<uint32_t> forks{0};

size_t MostBytes() { return std::min(kMostBytes, MemoryBudget()); }

bool IsLent(const SegmentMemory& memory) {
  return memory.holders().load(std::memory_order_acquire) != 0;
}

}  // namespace

SegmentPool& SegmentPool::Get() {
  static ForkLocal<SegmentPool> pool;
  return pool.Get();
}

uint32_t SegmentPool::Forks() { return forks.load(std::memory_order_acquire); }
void SegmentPool::BeforeFork() { forks.fetch_add(1, std::memory_order_acq_rel); }

SegmentPool::Usage SegmentPool::usage() {
  std::lock_guard<std::mutex> lock(mutex_);
  Usage usage;
  usage.segments = segments_.size();
  for (const auto& [data, segment] : segments_) usage.in_use += segment->memory().nbytes();
  for (const auto& memory : made_) {
    const bool lent = IsLent(*memory);
    (lent ? usage.lent : usage.kept) += memory->nbytes();
    ++(lent ? usage.loans : usage.spares);
  }
  for (const auto& memory : received_) usage.kept += memory->nbytes();
  usage.spares += received_.size();
  return usage;
}

SegmentMemory::Ptr SegmentPool::Remove(List* list, List::iterator it) {
  if (it == list->end()) return nullptr;
  SegmentMemory::Ptr taken = std::move(*it);
  list->erase(it);
  taken->forks = Forks();
  return taken;
}

template <typename Fits>
SegmentMemory::Ptr SegmentPool::TakeBest(size_t capacity, Fits fits) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto best = made_.end();
  for (auto it = made_.begin(); it != made_.end(); ++it) {
    const size_t has = (*it)->capacity();
    if (has < capacity || has / 2 > capacity || !fits(**it) || IsLent(**it)) continue;
    if (best == made_.end() || has < (*best)->capacity()) best = it;
  }
  return Remove(&made_, best);
}

SegmentMemory::Ptr SegmentPool::TakePrivate(size_t capacity, uint64_t pipe) {
  return TakeBest(capacity, [pipe](const SegmentMemory& memory) {
    if (memory.shared || memory.was_forwarded()) return false;
    return pipe == Segment::kAnyPipe || memory.pipes.empty() || memory.WasLentOn(pipe);
  });
}

// Who was given a shared array sees what is in its memory later on: other shared arrays, never a
// message for somebody else.
SegmentMemory::Ptr SegmentPool::TakeShared(size_t capacity) {
  return TakeBest(capacity, [](const SegmentMemory& memory) {
    return memory.shared || memory.pipes.empty();
  });
}

SegmentMemory::Ptr SegmentPool::TakeAgain(dev_t device, ino_t inode, bool made) {
  const auto is_it = [&](const SegmentMemory::Ptr& each) { return each->IsSame(device, inode); };
  std::lock_guard<std::mutex> lock(mutex_);
  if (made) {
    auto it = std::find_if(made_.begin(), made_.end(), is_it);
    if (it != made_.end()) return Remove(&made_, it);
  }
  return Remove(&received_, std::find_if(received_.begin(), received_.end(), is_it));
}

void SegmentPool::Give(SegmentMemory::Ptr memory) {
  const bool forked = memory->forks != Forks();
  List dropped;  // unmapped after the lock
  if (!memory->made) {
    // As long as a child may look at it, it is held.
    if (!forked) memory->holders().fetch_sub(1, std::memory_order_acq_rel);
    memory->fd = nullptr;  // the mapping is enough to know it again
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (forked || memory->spoiled) return dropped.push_back(std::move(memory));
  memory->given = Now();
  List& list = memory->made ? made_ : received_;
  list.push_front(std::move(memory));
  LimitMadeLocked(&dropped);
  LimitReceivedLocked(&dropped);
}

void SegmentPool::LimitMadeLocked(List* dropped) {
  const Time oldest = Now() - kLongest;
  const size_t most = MostBytes();
  size_t idle = 0;
  for (auto it = made_.begin(); it != made_.end();) {
    const auto each = it++;
    const bool lent = IsLent(**each);
    if (!lent) idle += (*each)->nbytes();
    if ((*each)->given < oldest || (!lent && idle > most)) {
      if (!lent) idle -= (*each)->nbytes();
      dropped->splice(dropped->begin(), made_, each);
    }
  }
  while (made_.size() > kMost) dropped->splice(dropped->begin(), made_, std::prev(made_.end()));
}

void SegmentPool::LimitReceivedLocked(List* dropped) {
  const Time oldest = Now() - kLongest;
  const size_t most = MostBytes();
  size_t nbytes = 0;
  size_t count = 0;
  for (auto it = received_.begin(); it != received_.end();) {
    const auto each = it++;
    nbytes += (*each)->nbytes();
    const bool is_past = (*each)->is_given_up() || (*each)->given < oldest;
    if (is_past || nbytes > most || ++count > kMost) {
      nbytes -= (*each)->nbytes();
      dropped->splice(dropped->begin(), received_, each);
    }
  }
}

bool SegmentPool::MakeRoom(size_t nbytes) {
  List dropped;
  std::unique_lock<std::mutex> lock(mutex_);
  const size_t budget = MemoryBudget();
  if (nbytes > budget) return false;
  size_t mapped = mapped_.load(std::memory_order_relaxed);
  for (List* list : {&received_, &made_}) {
    for (auto it = list->end(); it != list->begin() && mapped > budget - nbytes;) {
      const auto each = --it;
      if ((*each)->made && IsLent(**each)) continue;
      ++it;
      mapped -= (*each)->nbytes();
      dropped.splice(dropped.begin(), *list, each);
    }
  }
  return mapped <= budget - nbytes;
}

void SegmentPool::Clear() {
  List made, received;
  std::lock_guard<std::mutex> lock(mutex_);
  made.swap(made_);
  received.swap(received_);
}

void SegmentPool::Enter(Segment* segment) {
  std::lock_guard<std::mutex> lock(mutex_);
  segments_[segment->memory().data()] = segment;
  by_inode_[segment->memory().identity()] = segment;
}

void SegmentPool::Leave(Segment* segment) {
  std::lock_guard<std::mutex> lock(mutex_);
  segments_.erase(segment->memory().data());
  auto it = by_inode_.find(segment->memory().identity());
  if (it != by_inode_.end() && it->second == segment) by_inode_.erase(it);
}

Ref<Segment> SegmentPool::Find(const uint8_t* data, size_t nbytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = segments_.upper_bound(data);
  if (it == segments_.begin()) return nullptr;
  Segment* const segment = (--it)->second;
  const size_t offset = static_cast<size_t>(data - it->first);
  const size_t capacity = segment->memory().capacity();
  if (offset > capacity || nbytes > capacity - offset || !segment->TryAddRef()) return nullptr;
  return Ref<Segment>::Adopt(segment);
}

Ref<Segment> SegmentPool::FindSame(dev_t device, ino_t inode) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = by_inode_.find({device, inode});
  if (it == by_inode_.end() || !it->second->TryAddRef()) return nullptr;
  return Ref<Segment>::Adopt(it->second);
}

bool SegmentPool::MayGoTo(const SegmentMemory& memory, uint64_t pipe) {
  std::lock_guard<std::mutex> lock(mutex_);
  return memory.pipes.empty() || memory.WasLentOn(pipe);
}

bool SegmentPool::CameOn(const SegmentMemory& memory, uint64_t pipe) {
  std::lock_guard<std::mutex> lock(mutex_);
  return pipe != 0 && memory.WasLentOn(pipe);
}

void SegmentPool::GoesTo(SegmentMemory* memory, uint64_t pipe) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (memory->WasLentOn(pipe)) return;
  if (!memory->pipes.empty()) memory->shared = true;
  memory->pipes.insert(pipe);
  by_pipe_[pipe].insert(memory);
}

void SegmentPool::Forget(SegmentMemory* memory) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const uint64_t pipe : memory->pipes) {
    auto it = by_pipe_.find(pipe);
    if (it == by_pipe_.end()) continue;  // it is gone
    it->second.erase(memory);
    if (it->second.empty()) by_pipe_.erase(it);
  }
}

void SegmentPool::OnPipeGone(uint64_t pipe) {
  if (mapped_.load(std::memory_order_relaxed) == 0) return;
  List dropped;
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = by_pipe_.find(pipe);
  if (found == by_pipe_.end()) return;
  for (List* list : {&made_, &received_}) {
    for (auto it = list->begin(); it != list->end();) {
      const auto each = it++;
      SegmentMemory& memory = **each;
      if (!memory.WasLentOn(pipe)) continue;
      // A shared one that has come back is as good as ever.
      if (memory.made && memory.shared && !IsLent(memory)) continue;
      dropped.splice(dropped.begin(), *list, each);
    }
  }
  for (SegmentMemory* memory : found->second) {
    if (!memory->made || IsLent(*memory)) memory->spoiled = true;
  }
  by_pipe_.erase(found);
}

}  // namespace mojo_seq
