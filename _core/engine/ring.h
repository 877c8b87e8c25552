// Ring: memory that two processes map, for the small messages of one direction of a pipe.
//
// The writer makes it and offers it, the reader accepts it by a word in it. Each message has a
// number, counted from the offer on together with those that go through the socket, so that the
// reader knows in which of the two the next one is.
//
// What the other side writes into the memory is a hint. Each side has its own position, believes what
// can be true, and copies before it looks at anything twice. Sizes are sealed.
//
// A writer is used under the channel's send mutex, a reader under its receive mutex.
#pragma once

#include <atomic>

#include "fork.h"
#include "shared_memory.h"

namespace mojo_seq {

// Of records: 1,800 of 64 bytes, so many as are written in 0.1 to 0.6 ms. In millions a second, batches of 64
// such messages came through 16, 64, 128, 512 KiB at 12, 15, 17, 19, on a machine with 5 times as
// many threads as processors at 0.6, 2.6, 2.8, 4.4; one by one the size does not matter.
constexpr size_t kRingBytes = 128 * 1024;
constexpr size_t kMostInRing = 4096;       // bytes of a message

struct RingControl;

// Bytes of the caller's.
struct ByteSpan {
  const uint8_t* data = nullptr;
  size_t nbytes = 0;
};

// Where one side is: what travels with a pipe that leaves the process.
struct RingPosition {
  uint64_t offset = 0;
  uint32_t number = 0;  // of the next message
};

// It is no mapping of the user's, and comes and goes as it pleases the pipe: it is counted apart. A forked
// child does not inherit it: there the pipes are dead, and would only keep the memory alive.
class RingMemory : public RefCounted {
 public:
  // Null: there is no room for it.
  static Ref<RingMemory> Map(int fd);
  ~RingMemory() override;

  uint8_t* data() const { return data_; }

 private:
  explicit RingMemory(uint8_t* data) : data_(data) {}

  uint8_t* const data_;
  const uint32_t generation_ = ForkGeneration();
  LiveCounter<Kind::kRing> counter_;
};

class RingEnd : public RefCounted {
 public:
  Ref<SharedFd> shared_fd() const { return fd_; }
  const RingPosition& position() const { return position_; }
  // A message went, or came, through the socket.
  void Skip(uint32_t messages = 1) { position_.number += messages; }

 protected:
  RingEnd(Ref<SharedFd> fd, Ref<RingMemory> memory, RingPosition position);

  const Ref<SharedFd> fd_;
  const Ref<RingMemory> memory_;
  RingControl* const control_;
  uint8_t* const records_;
  RingPosition position_;
};

class RingWriter : public RingEnd {
 public:
  // Null: no memory, or no descriptor.
  static Ref<RingWriter> Create();
  // One that has come from another process. Null: it cannot be mapped; `*bad`: because it is no ring.
  static Ref<RingWriter> Restore(ScopedFd fd, RingPosition position, bool* bad);

  enum class Reader { kUndecided, kAccepted, kGone };
  Reader reader() const;
  // Whether the reader has read anything since this was asked last.
  bool HasMoved();
  // False: there is no room for it, or the reader lies about where it is.
  bool Push(const uint8_t* data, size_t nbytes);
  // The same for one that was counted before, by Skip.
  bool Push(uint32_t number, const uint8_t* data, size_t nbytes);
  // All of them or none. Empty ones may have no data.
  bool Push(const ByteSpan* messages, size_t count);
  bool IsReaderAwake() const;
  // Any thread. Where the reader is, as it says: it gives back room from time to time.
  uint64_t reader_offset() const;
  // The same. A writer may wait a moment for room, but not twice for a reader that does not read.
  bool MayAwaitRoom() const { return reader_offset() != vain_.load(std::memory_order_relaxed); }
  void AwaitedInVain() { vain_.store(reader_offset(), std::memory_order_relaxed); }
  // Lets the reader see what was pushed. True: it sleeps, and must be woken.
  bool Publish(int processor);
  // True: it sleeps, and must be woken by what is about to be sent.
  bool WakesReader();
  bool IsDrained() const;

 private:
  RingWriter(Ref<SharedFd> fd, Ref<RingMemory> memory, RingPosition position);
  bool LookAtReader();

  uint64_t read_;        // where the reader was when we last looked
  uint64_t moved_from_;  // for HasMoved
  bool lied_to_ = false;
  std::atomic<uint64_t> vain_{UINT64_MAX};  // where the reader was then; any thread
};

class RingReader : public RingEnd {
 public:
  // What was offered, or has come from another process. Null: it cannot be mapped; `*bad`: because
  // it is no ring.
  static Ref<RingReader> Map(ScopedFd fd, RingPosition position, bool* bad);
  void Accept();
  // The pipe is closed: the writer need not go on.
  void Close();

  // kNone: it is empty. kLater: what comes next is in the socket.
  enum class Next { kNone, kLater, kMessage, kBad };
  Next Look(const uint8_t** data, size_t* nbytes);
  void Pop();
  // Gives back the room of what was popped. That moves a line of memory between processors, so it is
  // done once for many messages.
  void GiveBack();
  // The same if it is time for it: much was popped, or nothing is left.
  void MayGiveBack() {
    if (position_.offset == written_ || position_.offset - given_back_ >= kRingBytes / 32) GiveBack();
  }
  bool HasNews() const;
  // For spinning without the receive mutex: whether the writer is not where we last saw it.
  uint64_t seen() const { return written_; }
  bool HasMovedFrom(uint64_t seen) const;
  // To be called before sleeping: the writer wakes us when there is something, once. True: something is
  // there already, and it need not. `always`: not once, but until Arm is called without it, or Disarm.
  bool Arm(bool always = false);
  // We do not sleep, and call Arm before we do.
  void Disarm();
  // The writer is known to be gone: there is what is there now, whoever goes on writing.
  void Seal();
  // What the writer last ran on, and was.
  int processor() const;
  uint32_t process() const;

 private:
  RingReader(Ref<SharedFd> fd, Ref<RingMemory> memory, RingPosition position);
  bool LookAtWriter();

  bool sealed_ = false;
  bool always_ = false;  // it has been told so
  uint64_t written_;     // where the writer was when we last looked
  uint64_t given_back_;  // up to where it may write again
  uint64_t next_ = 0;  // where the record ends that Look has found
};

}  // namespace mojo_seq
