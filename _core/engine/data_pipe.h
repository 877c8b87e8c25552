// Data pipe: a ring of bytes between one producer and one consumer (system rules §5).
//
// The ring is mapped twice in a row, so all that is free, or all that is readable, is always one
// contiguous run, wherever in the ring it starts.
//
// Two locks, in this order:
//   io mutex of an end   held by the thread that copies through that end; never the state mutex
//                        during the copy, so the other end goes on meanwhile
//   state mutex          shared by both ends (`lock_`); positions and flags
// A copy holds its own reference to the ring. A handle that is closed or sent during a copy is
// noticed when the copy is to be committed, and then nothing was transferred.
#pragma once

#include "dispatcher.h"
#include "shared_memory.h"

namespace mojo_seq {

struct DataPipe;

// What both ends have in common.
class DataPipeEnd : public Dispatcher {
 public:
  size_t capacity() const;
  size_t element_size() const;

  // Serialises the callers of one end. A caller that holds the interpreter's lock must give it up
  // before it waits in LockIo.
  bool TryLockIo() { return io_mutex_.try_lock(); }
  void LockIo() { io_mutex_.lock(); }
  void UnlockIo() { io_mutex_.unlock(); }

  // Views of the open window. kFailedPrecondition: `window` is no longer open.
  Result AddExport(uint64_t window);
  void DropExport();
  // True while `window` is the one that is open.
  bool IsWindowOpen(uint64_t window) const;

  using Dispatcher::NotifyLocked;  // each end tells the other

  // --- between processes (data_pipe_remote.cc) ---
  // Makes what Pack needs. kResourceExhausted: no descriptors.
  Result PrepareToLeave();
  void StayAfterAll();
  void Pack(BundleWriter* writer) override;
  Ref<SharedFd> WaitDescriptor(HandleValue value, short* events) override;
  void LookForNews(short events = kNotPolled) override;
  void LookQuickly() override;
  int PeerProcessor() const override;
  void ArmDoorbell() override;
  void OnIo(uint32_t events) override;

 protected:
  DataPipeEnd(HandleType type, Ref<DataPipe> pipe);
  ~DataPipeEnd() override;

  bool InTwoPhaseLocked() const override { return window_ != 0; }
  bool HasExportsLocked() const override { return exports_ > 0; }
  void OnObserversChanged() override;
  // Something has changed here: observers are told, and a doorbell is asked for if they wait.
  void ChangedLocked();
  // What the end in another process has done since.
  void SyncLocked();
  bool IsRemote() const;
  // True if the other end can do nothing, but go away, that observers of this end would care for.
  virtual bool IsContentLocked() const = 0;
  void EndLinkLocked(Garbage* garbage);
  bool is_producer() const { return type() == HandleType::kDataPipeProducer; }
  void OpenWindowLocked(size_t nbytes);
  // Checks and closes the window; kOk: the caller commits `nbytes`. `window` 0 means any.
  // kBusy: it has exports, nothing was changed.
  Result EndWindowLocked(HandleValue value, uint64_t window, size_t nbytes);
  Result CheckIdleLocked(HandleValue value) const;  // open and not in two-phase

  const Ref<DataPipe> pipe_;

 private:
  std::mutex io_mutex_;

 protected:
  uint64_t window_ = 0;     // lock_: the number of the open window, 0 if none
  uint64_t windows_ = 0;    // lock_: how many were opened
  size_t window_bytes_ = 0; // lock_
  size_t exports_ = 0;      // lock_
};

// A region of the ring lent to the caller. It stays mapped as long as `ring` is held.
struct DataPipeWindow {
  uint64_t number = 0;
  uint8_t* data = nullptr;
  size_t nbytes = 0;
  Ref<Mapping> ring;
};

class DataPipeProducer : public DataPipeEnd {
 public:
  explicit DataPipeProducer(Ref<DataPipe> pipe);

  // With the io mutex held. *nbytes: wanted, then done.
  Result Write(HandleValue value, const void* data, size_t* nbytes, bool all_or_none);
  // With the io mutex held: no copy may be under way where the window will be.
  Result BeginWrite(HandleValue value, size_t min_bytes, DataPipeWindow* window);
  Result EndWrite(HandleValue value, uint64_t window, size_t nbytes);

 protected:
  SignalsState StateLocked() const override;
  void CloseLocked(Garbage* garbage) override;
  bool IsContentLocked() const override;

 private:
  Result WriteNow(HandleValue value, const void* data, size_t* nbytes, bool all_or_none);
  Result BeginWriteNow(HandleValue value, size_t min_bytes, DataPipeWindow* window);
};

class DataPipeConsumer : public DataPipeEnd {
 public:
  explicit DataPipeConsumer(Ref<DataPipe> pipe);

  enum class Mode { kRead, kPeek, kDiscard };
  // With the io mutex held. `data` may be null for kDiscard.
  Result Read(HandleValue value, void* data, size_t* nbytes, bool all_or_none, Mode mode);
  // What Read would do, and how much it would transfer, without doing it. No io mutex needed.
  Result CheckRead(HandleValue value, size_t* nbytes, bool all_or_none);
  Result Query(HandleValue value, size_t* nbytes);
  // With the io mutex held.
  Result BeginRead(HandleValue value, size_t min_bytes, DataPipeWindow* window);
  Result EndRead(HandleValue value, uint64_t window, size_t nbytes);

 protected:
  SignalsState StateLocked() const override;
  void AdoptLocked() override;
  void CloseLocked(Garbage* garbage) override;
  bool IsContentLocked() const override;

 private:
  Result ReadNow(HandleValue value, void* data, size_t* nbytes, bool all_or_none, Mode mode);
  Result CheckReadNow(HandleValue value, size_t* nbytes, bool all_or_none);
  Result BeginReadNow(HandleValue value, size_t min_bytes, DataPipeWindow* window);
  Result PrepareLocked(HandleValue value, size_t* nbytes, bool all_or_none);
  Result PeekStateLocked(HandleValue value);
  void ConsumeLocked(size_t nbytes);
};

// kInvalidArgument: element_size 0, or a capacity that is not a positive multiple of it. Capacity
// 0 means the default. kResourceExhausted: no memory or no descriptor.
Result CreateDataPipe(size_t capacity, size_t element_size, Ref<DataPipeProducer>* producer,
                      Ref<DataPipeConsumer>* consumer);

// Null: what was received is no data pipe.
class BundleReader;
Ref<Dispatcher> UnpackDataPipeEnd(HandleType type, BundleReader* reader);

}  // namespace mojo_seq
