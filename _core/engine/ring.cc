#include "ring.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace mojo_seq {

// At the beginning of the memory. Each side's words have a cache line of their own, and so has what
// seldom changes: a processor that only reads it keeps its copy.
struct RingControl {
  enum : uint32_t { kAsleep, kAwake, kAlways };       // a reader is taken for asleep until it says
  enum : uint32_t { kOffered, kAccepted, kClosed };

  alignas(64) std::atomic<uint64_t> written;          // the writer's: what may be read
  std::atomic<uint32_t> processor;                    // the writer's: that it ran on, plus one
  std::atomic<uint32_t> process;                      // the writer's: its number
  alignas(64) std::atomic<uint64_t> read;             // the reader's: what may be written over
  alignas(64) std::atomic<uint32_t> reader;           // the reader's; from asleep to awake: the writer's
  std::atomic<uint32_t> decision;                     // the reader's
};

namespace {

struct Record {
  static constexpr uint32_t kSkip = UINT32_MAX;  // the next one is at the ring's beginning
  uint32_t nbytes;
  uint32_t number;
};
static_assert(sizeof(Record) == 8);
constexpr size_t kAlignment = sizeof(Record);

constexpr size_t kControlBytes = 4096;
const char* const kName = "mojo_seq ring";  // in /proc, to be told from memory that the user made
static_assert(sizeof(RingControl) <= kControlBytes);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

constexpr size_t Space(size_t nbytes) {
  return sizeof(Record) + (nbytes + kAlignment - 1) / kAlignment * kAlignment;
}
size_t ToEnd(uint64_t offset) { return kRingBytes - offset % kRingBytes; }

bool IsRing(int fd) {
  struct stat info;
  return IsSealedMemory(fd) && fstat(fd, &info) == 0 &&
         info.st_size == static_cast<off_t>(kControlBytes + kRingBytes);
}

bool IsPossible(const RingPosition& position) { return position.offset % kAlignment == 0; }

}  // namespace

Ref<RingMemory> RingMemory::Map(int fd) {
  void* const data =
      mmap(nullptr, kControlBytes + kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return nullptr;
  madvise(data, kControlBytes + kRingBytes, MADV_DONTFORK);  // mapped memory: it does not refuse
  return Ref<RingMemory>::Adopt(new RingMemory(static_cast<uint8_t*>(data)));
}

RingMemory::~RingMemory() {
  // In a forked child anything may be there.
  if (generation_ == ForkGeneration()) munmap(data_, kControlBytes + kRingBytes);
}

RingEnd::RingEnd(Ref<SharedFd> fd, Ref<RingMemory> memory, RingPosition position)
    : fd_(std::move(fd)),
      memory_(std::move(memory)),
      control_(reinterpret_cast<RingControl*>(memory_->data())),
      records_(memory_->data() + kControlBytes),
      position_(position) {}

// --- the writer ---

RingWriter::RingWriter(Ref<SharedFd> fd, Ref<RingMemory> memory, RingPosition position)
    : RingEnd(std::move(fd), std::move(memory), position),
      read_(position.offset > kRingBytes ? position.offset - kRingBytes : 0),
      moved_from_(read_) {
  control_->process.store(static_cast<uint32_t>(getpid()), std::memory_order_relaxed);
}

Ref<RingWriter> RingWriter::Create() {
  ScopedFd fd;
  if (CreateSharedMemory(kControlBytes + kRingBytes, &fd, kName) != Result::kOk) return nullptr;
  Ref<RingMemory> memory = RingMemory::Map(fd.get());
  if (!memory) return nullptr;
  return Ref<RingWriter>::Adopt(
      new RingWriter(MakeRef<SharedFd>(std::move(fd)), std::move(memory), {}));
}

Ref<RingWriter> RingWriter::Restore(ScopedFd fd, RingPosition position, bool* bad) {
  *bad = !IsRing(fd.get()) || !IsPossible(position);
  if (*bad) return nullptr;
  Ref<RingMemory> memory = RingMemory::Map(fd.get());
  if (!memory) return nullptr;
  return Ref<RingWriter>::Adopt(
      new RingWriter(MakeRef<SharedFd>(std::move(fd)), std::move(memory), position));
}

RingWriter::Reader RingWriter::reader() const {
  if (lied_to_) return Reader::kGone;
  switch (control_->decision.load(std::memory_order_acquire)) {
    case RingControl::kOffered: return Reader::kUndecided;
    case RingControl::kAccepted: return Reader::kAccepted;
    default: return Reader::kGone;
  }
}

bool RingWriter::LookAtReader() {
  const uint64_t read = control_->read.load(std::memory_order_acquire);
  if (read < read_ || read > position_.offset) {
    lied_to_ = true;
    return false;
  }
  read_ = read;
  return true;
}

bool RingWriter::HasMoved() {
  LookAtReader();
  const bool moved = read_ != moved_from_;
  moved_from_ = read_;
  return moved;
}

bool RingWriter::IsDrained() const {
  return control_->read.load(std::memory_order_acquire) == position_.offset;
}

bool RingWriter::Push(const uint8_t* data, size_t nbytes) {
  if (!Push(position_.number, data, nbytes)) return false;
  ++position_.number;
  return true;
}

bool RingWriter::Push(uint32_t number, const uint8_t* data, size_t nbytes) {
  const size_t space = Space(nbytes);
  const size_t to_end = ToEnd(position_.offset);
  const size_t needed = space <= to_end ? space : to_end + space;
  if (kRingBytes - (position_.offset - read_) < needed) {
    if (!LookAtReader() || kRingBytes - (position_.offset - read_) < needed) return false;
  }
  uint8_t* place = records_ + position_.offset % kRingBytes;
  if (space > to_end) {
    const Record skip{Record::kSkip, 0};
    memcpy(place, &skip, sizeof skip);
    place = records_;
  }
  const Record record{static_cast<uint32_t>(nbytes), number};
  memcpy(place, &record, sizeof record);
  if (nbytes > 0) memcpy(place + sizeof record, data, nbytes);
  position_.offset += needed;
  return true;
}

bool RingWriter::Push(const ByteSpan* messages, size_t count) {
  const RingPosition before = position_;
  for (size_t i = 0; i < count; ++i) {
    if (Push(messages[i].data, messages[i].nbytes)) continue;
    position_ = before;  // nobody has seen them
    return false;
  }
  return true;
}

bool RingWriter::IsReaderAwake() const {
  return control_->reader.load(std::memory_order_relaxed) == RingControl::kAwake;
}

uint64_t RingWriter::reader_offset() const {
  return control_->read.load(std::memory_order_acquire);
}

bool RingWriter::Publish(int processor) {
  control_->processor.store(static_cast<uint32_t>(processor + 1), std::memory_order_relaxed);
  // Sequentially consistent, like the reader's look after it has said that it sleeps: one of the
  // two sees what the other has done.
  control_->written.store(position_.offset, std::memory_order_seq_cst);
  return control_->reader.load(std::memory_order_seq_cst) != RingControl::kAwake && WakesReader();
}

bool RingWriter::WakesReader() {
  uint32_t reader = control_->reader.load(std::memory_order_relaxed);
  if (reader == RingControl::kAwake) return false;
  // Only from asleep: it may just now say that it is always to be woken.
  while (reader == RingControl::kAsleep &&
         !control_->reader.compare_exchange_weak(reader, RingControl::kAwake,
                                                 std::memory_order_seq_cst)) {
    continue;
  }
  return reader != RingControl::kAwake;
}

// --- the reader ---

RingReader::RingReader(Ref<SharedFd> fd, Ref<RingMemory> memory, RingPosition position)
    : RingEnd(std::move(fd), std::move(memory), position),
      written_(position.offset),
      given_back_(position.offset) {}

Ref<RingReader> RingReader::Map(ScopedFd fd, RingPosition position, bool* bad) {
  *bad = !IsRing(fd.get()) || !IsPossible(position);
  if (*bad) return nullptr;
  Ref<RingMemory> memory = RingMemory::Map(fd.get());
  if (!memory) return nullptr;
  return Ref<RingReader>::Adopt(
      new RingReader(MakeRef<SharedFd>(std::move(fd)), std::move(memory), position));
}

void RingReader::Accept() {
  control_->decision.store(RingControl::kAccepted, std::memory_order_release);
}

void RingReader::Close() {
  control_->decision.store(RingControl::kClosed, std::memory_order_release);
}

bool RingReader::HasNews() const {
  if (sealed_) return written_ != position_.offset;
  return control_->written.load(std::memory_order_acquire) != position_.offset;
}

bool RingReader::HasMovedFrom(uint64_t seen) const {
  return control_->written.load(std::memory_order_acquire) != seen;
}

// False: it lies.
bool RingReader::LookAtWriter() {
  const uint64_t written = control_->written.load(std::memory_order_acquire);
  if (written < written_ || written - position_.offset > kRingBytes || written % kAlignment != 0) {
    return false;
  }
  written_ = written;
  return true;
}

void RingReader::Seal() {
  if (!sealed_) LookAtWriter();  // who lies has written what we have seen, and no more
  sealed_ = true;
}

void RingReader::Disarm() {
  always_ = false;
  control_->reader.store(RingControl::kAwake, std::memory_order_relaxed);
}

bool RingReader::Arm(bool always) {
  if (sealed_) return HasNews();
  if (always && always_) return false;  // whatever came since, the bell was rung for it
  always_ = always;
  control_->reader.store(always ? RingControl::kAlways : RingControl::kAsleep,
                         std::memory_order_seq_cst);
  if (control_->written.load(std::memory_order_seq_cst) == position_.offset) return false;
  if (!always) control_->reader.store(RingControl::kAwake, std::memory_order_relaxed);
  return true;
}

int RingReader::processor() const {
  return static_cast<int>(control_->processor.load(std::memory_order_relaxed)) - 1;
}

uint32_t RingReader::process() const { return control_->process.load(std::memory_order_relaxed); }

RingReader::Next RingReader::Look(const uint8_t** data, size_t* nbytes) {
  for (;;) {
    if (position_.offset == written_) {
      if (!sealed_ && !LookAtWriter()) return Next::kBad;
      if (position_.offset == written_) return Next::kNone;
    }
    const size_t there = written_ - position_.offset;
    const size_t to_end = ToEnd(position_.offset);
    const uint8_t* const place = records_ + position_.offset % kRingBytes;
    // Read once, whatever is written there meanwhile.
    const uint64_t read =
        reinterpret_cast<const std::atomic<uint64_t>*>(place)->load(std::memory_order_relaxed);
    Record record;
    memcpy(&record, &read, sizeof record);
    if (record.nbytes == Record::kSkip) {
      if (to_end >= there) return Next::kBad;  // something follows
      position_.offset += to_end;
      continue;
    }
    if (record.nbytes > kMostInRing || Space(record.nbytes) > there ||
        Space(record.nbytes) > to_end) {
      return Next::kBad;
    }
    if (record.number != position_.number) return Next::kLater;
    *data = place + sizeof record;
    *nbytes = record.nbytes;
    next_ = position_.offset + Space(record.nbytes);
    return Next::kMessage;
  }
}

void RingReader::Pop() {
  position_.offset = next_;
  ++position_.number;
}

void RingReader::GiveBack() {
  given_back_ = position_.offset;
  control_->read.store(given_back_, std::memory_order_release);
}

}  // namespace mojo_seq
