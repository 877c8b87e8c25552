#include "segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <list>

namespace mojo_seq {

// The memory itself: a page for the count, then the payload.
class SegmentMemory {
 public:
  SegmentMemory(Ref<SharedFd> fd, uint8_t* base, size_t nbytes, dev_t device, ino_t inode)
      : fd(std::move(fd)), nbytes(nbytes), device(device), inode(inode), base_(base) {}
  ~SegmentMemory() { munmap(base_, nbytes); }
  SegmentMemory(const SegmentMemory&) = delete;
  SegmentMemory& operator=(const SegmentMemory&) = delete;

  // Holders in all processes but the one that made it.
  std::atomic<uint32_t>& holders() { return *reinterpret_cast<std::atomic<uint32_t>*>(base_); }
  uint8_t* data() { return base_ + PageSize(); }
  size_t capacity() const { return nbytes - PageSize(); }

  Ref<SharedFd> fd;  // null in the cache of received ones
  uint64_t pipe = 0;  // that it was lent on; 0: none
  const size_t nbytes;
  const dev_t device;
  const ino_t inode;

 private:
  uint8_t* const base_;
};

namespace {

using Memory = std::unique_ptr<SegmentMemory>;

// Memory that nobody here uses at the moment, newest first.
class Pool {
 public:
  Memory Take(size_t capacity, uint64_t pipe) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto best = memory_.end();
    for (auto it = memory_.begin(); it != memory_.end(); ++it) {
      const size_t has = (*it)->capacity();
      if (has < capacity || has / 2 > capacity) continue;
      if (pipe != Segment::kAnyPipe && (*it)->pipe != 0 && (*it)->pipe != pipe) continue;
      if ((*it)->holders().load(std::memory_order_acquire) != 0) continue;
      if (best == memory_.end() || has < (*best)->capacity()) best = it;
    }
    return Remove(best);
  }
  Memory TakeAgain(dev_t device, ino_t inode) {
    std::lock_guard<std::mutex> lock(mutex_);
    return Remove(std::find_if(memory_.begin(), memory_.end(), [&](const Memory& each) {
      return each->inode == inode && each->device == device;
    }));
  }
  void Give(Memory memory) {
    std::list<Memory> dropped;  // unmapped after the lock
    std::lock_guard<std::mutex> lock(mutex_);
    nbytes_ += memory->nbytes;
    memory_.push_front(std::move(memory));
    while (nbytes_ > kMostBytes || memory_.size() > kMost) {
      nbytes_ -= memory_.back()->nbytes;
      dropped.splice(dropped.begin(), memory_, std::prev(memory_.end()));
    }
  }
  void Clear() {
    std::list<Memory> dropped;
    std::lock_guard<std::mutex> lock(mutex_);
    dropped.swap(memory_);
    nbytes_ = 0;
  }

 private:
  static constexpr size_t kMostBytes = size_t{256} << 20;
  static constexpr size_t kMost = 32;

  Memory Remove(std::list<Memory>::iterator it) {
    if (it == memory_.end()) return nullptr;
    Memory taken = std::move(*it);
    memory_.erase(it);
    nbytes_ -= taken->nbytes;
    return taken;
  }

  std::mutex mutex_;
  std::list<Memory> memory_;  // mutex_
  size_t nbytes_ = 0;         // mutex_
};

// Never destroyed: threads that outlive main() may still drop messages.
Pool& Made() {
  static ForkLocal<Pool> pool;
  return pool.Get();
}
Pool& Received() {
  static ForkLocal<Pool> pool;
  return pool.Get();
}

// A few sizes, so that memory fits again: steps of an eighth.
size_t RoundUp(size_t nbytes) {
  size_t step = PageSize();
  while (step * 16 < nbytes) step *= 2;
  return (nbytes + step - 1) / step * step;
}

Memory Map(ScopedFd fd, size_t nbytes, bool populate) {
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return nullptr;
  void* const base = mmap(nullptr, nbytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED | (populate ? MAP_POPULATE : 0), fd.get(), 0);
  if (base == MAP_FAILED) return nullptr;
  return std::make_unique<SegmentMemory>(MakeRef<SharedFd>(std::move(fd)),
                                         static_cast<uint8_t*>(base), nbytes, info.st_dev,
                                         info.st_ino);
}

Memory Make(size_t nbytes) {
  ScopedFd fd;
  if (CreateSharedMemory(nbytes, &fd) != Result::kOk) return nullptr;
  return Map(std::move(fd), nbytes, false);
}

}  // namespace

Ref<Payload> Segment::Allocate(size_t nbytes, bool zeroed, uint64_t pipe) {
  Memory memory = Made().Take(nbytes, pipe);
  if (memory) {
    if (zeroed) memset(memory->data(), 0, nbytes);
  } else {
    const size_t whole = PageSize() + RoundUp(nbytes);
    memory = Make(whole);
    if (!memory) {
      Trim();  // it may have what is missing
      memory = Make(whole);
    }
    if (!memory) return nullptr;
  }
  uint8_t* const data = memory->data();
  auto segment = Ref<Segment>::Adopt(new Segment(std::move(memory), false));
  return Payload::Over(data, nbytes, std::move(segment));
}

Segment* Segment::Of(const Message& message) {
  if (!message.payload) return nullptr;
  return static_cast<Segment*>(message.payload->owner());
}

bool Segment::Receive(ScopedFd fd, size_t nbytes, Ref<Payload>* payload) {
  struct stat info;
  if (!IsSealedMemory(fd.get()) || fstat(fd.get(), &info) != 0 || info.st_size < 0) return false;
  const size_t whole = static_cast<size_t>(info.st_size);
  if (whole < PageSize() || whole - PageSize() < nbytes) return false;
  Memory memory = Received().TakeAgain(info.st_dev, info.st_ino);
  if (memory && memory->nbytes <= whole && memory->capacity() >= nbytes) {
    memory->fd = MakeRef<SharedFd>(std::move(fd));
  } else {
    // All pages at once, where the sender has filled them: nobody makes us fill them instead.
    const bool filled = static_cast<uint64_t>(info.st_blocks) * 512 >= whole;
    memory = Map(std::move(fd), whole, filled);
  }
  if (!memory) return false;
  uint8_t* const data = memory->data();
  auto segment = Ref<Segment>::Adopt(new Segment(std::move(memory), true));
  *payload = Payload::Over(data, nbytes, std::move(segment));
  return static_cast<bool>(*payload);
}

// What was received has another maker, who decides.
bool Segment::MayGoTo(uint64_t pipe) const {
  return received_ || memory_->pipe == 0 || memory_->pipe == pipe;
}

void Segment::GoTo(uint64_t pipe) { memory_->pipe = pipe; }

Ref<SharedFd> Segment::Lend() {
  memory_->holders().fetch_add(1, std::memory_order_acq_rel);
  return memory_->fd;
}

Segment::Segment(std::unique_ptr<SegmentMemory> memory, bool received)
    : memory_(std::move(memory)), received_(received) {}

Segment::~Segment() {
  if (generation_ != ForkGeneration()) {
    static_cast<void>(memory_.release());  // a copy of a hold that the parent still has
    return;
  }
  if (!received_) {
    Made().Give(std::move(memory_));
    return;
  }
  memory_->holders().fetch_sub(1, std::memory_order_acq_rel);
  memory_->fd = nullptr;  // the mapping is enough to know it again
  Received().Give(std::move(memory_));
}

void Segment::Trim() {
  Made().Clear();
  Received().Clear();
}

}  // namespace mojo_seq
