#include "data_pipe.h"

#include <algorithm>
#include <cstring>

#include "data_pipe_core.h"
#include "notification.h"

namespace mojo_seq {

DataPipeEnd::DataPipeEnd(HandleType type, Ref<DataPipe> pipe)
    : Dispatcher(type, &pipe->mutex), pipe_(std::move(pipe)) {}

DataPipeEnd::~DataPipeEnd() = default;

size_t DataPipeEnd::capacity() const { return pipe_->capacity; }
size_t DataPipeEnd::element_size() const { return pipe_->element_size; }

Result DataPipeEnd::AddExport(uint64_t window) {
  Lock lock(this);
  if (window == 0 || window != window_) return Result::kFailedPrecondition;
  ++exports_;
  return Result::kOk;
}

void DataPipeEnd::DropExport() {
  Lock lock(this);
  --exports_;
}

bool DataPipeEnd::IsWindowOpen(uint64_t window) const {
  Lock lock(this);
  return window != 0 && window == window_;
}

void DataPipeEnd::OpenWindowLocked(size_t nbytes) {
  window_ = ++windows_;
  window_bytes_ = nbytes;
}

Result DataPipeEnd::EndWindowLocked(HandleValue value, uint64_t window, size_t nbytes) {
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  if (window_ == 0 || (window != 0 && window != window_)) return Result::kFailedPrecondition;
  if (exports_ > 0) return Result::kBusy;
  window_ = 0;
  // A bad amount ends the operation with nothing done (system rules §5.4).
  const bool bad = nbytes > window_bytes_ || pipe_->misaligned(nbytes);
  return bad ? Result::kInvalidArgument : Result::kOk;
}

Result DataPipeEnd::CheckIdleLocked(HandleValue value) const {
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  return window_ != 0 ? Result::kBusy : Result::kOk;
}

// --- producer ---

DataPipeProducer::DataPipeProducer(Ref<DataPipe> pipe)
    : DataPipeEnd(HandleType::kDataPipeProducer, std::move(pipe)) {}

SignalsState DataPipeProducer::StateLocked() const {
  if (!pipe_->consumer_open()) return {kSignalPeerClosed, kSignalPeerClosed};
  const Signals remote = pipe_->is_remote() ? kSignalPeerRemote : kSignalNone;
  const bool writable = window_ == 0 && pipe_->free_space() > 0;
  return {remote | (writable ? kSignalWritable : kSignalNone),
          kSignalWritable | kSignalPeerClosed | kSignalPeerRemote};
}

// An end in another process that died tells it by its socket only. So before a call says that
// there is nothing to be done now, it looks there, and then once more.
Result DataPipeProducer::Write(HandleValue value, const void* data, size_t* nbytes,
                               bool all_or_none) {
  const size_t wanted = *nbytes;
  const Result result = WriteNow(value, data, nbytes, all_or_none);
  const bool idle = result == Result::kShouldWait || result == Result::kOutOfRange ||
                    (result == Result::kOk && wanted == 0);
  if (!idle || !IsRemote()) return result;
  LookForNews();
  return WriteNow(value, data, nbytes, all_or_none);
}

Result DataPipeProducer::WriteNow(HandleValue value, const void* data, size_t* nbytes,
                                  bool all_or_none) {
  Ref<Mapping> ring;
  uint8_t* target;
  size_t amount;
  {
    Lock lock(this);
    const Result idle = CheckIdleLocked(value);
    if (idle != Result::kOk) return idle;
    SyncLocked();
    if (!pipe_->consumer_open()) return Result::kFailedPrecondition;
    if (pipe_->misaligned(*nbytes)) return Result::kInvalidArgument;
    if (*nbytes == 0) return Result::kOk;
    const size_t space = pipe_->free_space();
    if (all_or_none && *nbytes > space) return Result::kOutOfRange;
    if (space == 0) return Result::kShouldWait;
    amount = std::min(*nbytes, space);
    ring = pipe_->ring;
    target = pipe_->at(pipe_->written);
  }
  const auto* const source = static_cast<const uint8_t*>(data);
  const size_t most = all_or_none ? amount : pipe_->slice();
  size_t done = 0;
  while (amount > 0) {
    amount = std::min(amount, most);
    memcpy(target, source + done, amount);
    {
      Lock lock(this);
      if (!IsOpenLocked(value) || !pipe_->consumer_open()) {
        if (done > 0) break;  // so much did arrive; the next call tells the rest
        return IsOpenLocked(value) ? Result::kFailedPrecondition : Result::kInvalidArgument;
      }
      pipe_->AddWritten(amount);
      SyncLocked();
      ChangedLocked();
      done += amount;
      if (!pipe_->consumer_open()) break;
      amount = std::min(*nbytes - done, pipe_->free_space());
      target = pipe_->at(pipe_->written);
    }
    if (amount > 0) FlushWakes();
  }
  *nbytes = done;
  return Result::kOk;
}

Result DataPipeProducer::BeginWrite(HandleValue value, size_t min_bytes, DataPipeWindow* window) {
  const Result result = BeginWriteNow(value, min_bytes, window);
  const bool idle = result == Result::kShouldWait || result == Result::kOutOfRange;
  if (!idle || !IsRemote()) return result;
  LookForNews();
  return BeginWriteNow(value, min_bytes, window);
}

Result DataPipeProducer::BeginWriteNow(HandleValue value, size_t min_bytes,
                                       DataPipeWindow* window) {
  Lock lock(this);
  const Result idle = CheckIdleLocked(value);
  if (idle != Result::kOk) return idle;
  SyncLocked();
  if (!pipe_->consumer_open()) return Result::kFailedPrecondition;
  if (pipe_->misaligned(min_bytes) || min_bytes > pipe_->capacity) return Result::kInvalidArgument;
  const size_t space = pipe_->free_space();
  if (space < min_bytes) return Result::kOutOfRange;
  if (space == 0) return Result::kShouldWait;
  OpenWindowLocked(space);
  *window = {window_, pipe_->at(pipe_->written), space, pipe_->ring};
  ChangedLocked();
  return Result::kOk;
}

Result DataPipeProducer::EndWrite(HandleValue value, uint64_t window, size_t nbytes) {
  Lock lock(this);
  const bool was_open = window_ != 0;
  const Result result = EndWindowLocked(value, window, nbytes);
  SyncLocked();
  if (result == Result::kOk && nbytes > 0 && pipe_->consumer_open()) pipe_->AddWritten(nbytes);
  if (was_open) ChangedLocked();
  return result;
}

bool DataPipeProducer::IsContentLocked() const { return pipe_->free_space() > 0; }

void DataPipeProducer::CloseLocked(Garbage* garbage) {
  window_ = 0;
  EndLinkLocked(garbage);
  pipe_->producer = nullptr;
  if (pipe_->consumer) {
    pipe_->consumer->NotifyLocked();
  }
  if (!pipe_->consumer || pipe_->available() == 0) {
    garbage->objects.emplace_back(std::move(pipe_->fd));
    garbage->objects.emplace_back(std::move(pipe_->ring));
  }
}

// --- consumer ---

DataPipeConsumer::DataPipeConsumer(Ref<DataPipe> pipe)
    : DataPipeEnd(HandleType::kDataPipeConsumer, std::move(pipe)) {}

SignalsState DataPipeConsumer::StateLocked() const {
  const bool data = pipe_->available() > 0;
  const bool unseen = data && pipe_->new_data;
  const Signals seeable = (data ? kSignalReadable : 0) | (unseen ? kSignalNewDataReadable : 0);
  const Signals satisfied = window_ == 0 ? seeable : 0;
  if (!pipe_->producer_open()) return {satisfied | kSignalPeerClosed, seeable | kSignalPeerClosed};
  return {satisfied | (pipe_->is_remote() ? kSignalPeerRemote : kSignalNone),
          kSignalReadable | kSignalNewDataReadable | kSignalPeerClosed | kSignalPeerRemote};
}

// Whoever receives a consumer has seen none of the data, whatever the sender saw.
void DataPipeConsumer::AdoptLocked() { pipe_->new_data = pipe_->available() > 0; }

// The checks that every look at the data begins with; past them the data is no longer new.
Result DataPipeConsumer::PeekStateLocked(HandleValue value) {
  const Result idle = CheckIdleLocked(value);
  if (idle != Result::kOk) return idle;
  SyncLocked();
  if (pipe_->new_data) {
    pipe_->new_data = false;
    ChangedLocked();
  }
  return Result::kOk;
}

Result DataPipeConsumer::PrepareLocked(HandleValue value, size_t* nbytes, bool all_or_none) {
  const Result looked = PeekStateLocked(value);
  if (looked != Result::kOk) return looked;
  if (pipe_->misaligned(*nbytes)) return Result::kInvalidArgument;
  const Result lacking = pipe_->producer_open() ? Result::kShouldWait : Result::kFailedPrecondition;
  const size_t available = pipe_->available();
  if (all_or_none && *nbytes > available) {
    return pipe_->producer_open() ? Result::kOutOfRange : Result::kFailedPrecondition;
  }
  // Reading nothing succeeds while there is, or may yet be, something to read.
  if (available == 0 && (*nbytes > 0 || !pipe_->producer_open())) return lacking;
  *nbytes = std::min(*nbytes, available);
  return Result::kOk;
}

void DataPipeConsumer::ConsumeLocked(size_t nbytes) {
  pipe_->AddConsumed(nbytes);
  ChangedLocked();
}

// For waiting and looking again, see DataPipeProducer::Write.
Result DataPipeConsumer::CheckRead(HandleValue value, size_t* nbytes, bool all_or_none) {
  const size_t wanted = *nbytes;
  const Result result = CheckReadNow(value, nbytes, all_or_none);
  const bool idle = result == Result::kShouldWait || result == Result::kOutOfRange ||
                    (result == Result::kOk && wanted == 0);
  if (!idle || !IsRemote()) return result;
  LookForNews();
  *nbytes = wanted;
  return CheckReadNow(value, nbytes, all_or_none);
}

Result DataPipeConsumer::CheckReadNow(HandleValue value, size_t* nbytes, bool all_or_none) {
  Lock lock(this);
  return PrepareLocked(value, nbytes, all_or_none);
}

Result DataPipeConsumer::Read(HandleValue value, void* data, size_t* nbytes, bool all_or_none,
                              Mode mode) {
  const size_t wanted = *nbytes;
  const Result result = ReadNow(value, data, nbytes, all_or_none, mode);
  const bool idle = result == Result::kShouldWait || result == Result::kOutOfRange ||
                    (result == Result::kOk && wanted == 0);
  if (!idle || !IsRemote()) return result;
  LookForNews();
  *nbytes = wanted;
  return ReadNow(value, data, nbytes, all_or_none, mode);
}

Result DataPipeConsumer::ReadNow(HandleValue value, void* data, size_t* nbytes, bool all_or_none,
                                 Mode mode) {
  Ref<Mapping> ring;  // released after the locks
  const uint8_t* source = nullptr;
  size_t amount = *nbytes;
  {
    Lock lock(this);
    const Result ready = PrepareLocked(value, &amount, all_or_none);
    if (ready != Result::kOk) return ready;
    if (amount > 0 && mode == Mode::kDiscard) ConsumeLocked(amount);
    if (amount == 0 || mode == Mode::kDiscard) {
      *nbytes = amount;
      return Result::kOk;
    }
    ring = pipe_->ring;
    source = pipe_->at(pipe_->consumed);
  }
  auto* const target = static_cast<uint8_t*>(data);
  const size_t most = all_or_none || mode == Mode::kPeek ? amount : pipe_->slice();
  size_t done = 0;
  while (amount > 0) {
    amount = std::min(amount, most);
    memcpy(target + done, source, amount);
    {
      Lock lock(this);
      if (!IsOpenLocked(value)) {
        if (done > 0) break;  // what was consumed is the caller's
        return Result::kInvalidArgument;
      }
      done += amount;
      if (mode == Mode::kPeek) break;
      SyncLocked();
      const size_t more = std::min(*nbytes - done, pipe_->available() - amount);
      if (more > 0) pipe_->new_data = false;  // a second look
      ConsumeLocked(amount);
      amount = more;
      source = pipe_->at(pipe_->consumed);
    }
    if (amount > 0) FlushWakes();
  }
  *nbytes = done;
  return Result::kOk;
}

Result DataPipeConsumer::Query(HandleValue value, size_t* nbytes) {
  Lock lock(this);
  const Result looked = PeekStateLocked(value);
  if (looked == Result::kOk) *nbytes = pipe_->available();
  return looked;
}

Result DataPipeConsumer::BeginRead(HandleValue value, size_t min_bytes, DataPipeWindow* window) {
  const Result result = BeginReadNow(value, min_bytes, window);
  const bool idle = result == Result::kShouldWait || result == Result::kOutOfRange;
  if (!idle || !IsRemote()) return result;
  LookForNews();
  return BeginReadNow(value, min_bytes, window);
}

Result DataPipeConsumer::BeginReadNow(HandleValue value, size_t min_bytes,
                                      DataPipeWindow* window) {
  Lock lock(this);
  const Result looked = PeekStateLocked(value);
  if (looked != Result::kOk) return looked;
  if (pipe_->misaligned(min_bytes) || min_bytes > pipe_->capacity) return Result::kInvalidArgument;
  const size_t available = pipe_->available();
  if (available < min_bytes) {
    return pipe_->producer_open() ? Result::kOutOfRange : Result::kFailedPrecondition;
  }
  if (available == 0) return pipe_->producer_open() ? Result::kShouldWait : Result::kFailedPrecondition;
  OpenWindowLocked(available);
  *window = {window_, pipe_->at(pipe_->consumed), available, pipe_->ring};
  ChangedLocked();
  return Result::kOk;
}

Result DataPipeConsumer::EndRead(HandleValue value, uint64_t window, size_t nbytes) {
  Lock lock(this);
  const bool was_open = window_ != 0;
  const Result result = EndWindowLocked(value, window, nbytes);
  SyncLocked();
  if (result == Result::kOk && nbytes > 0) {
    ConsumeLocked(nbytes);
  } else if (was_open) {
    ChangedLocked();
  }
  return result;
}

// Nothing to wait for but data that it has not looked for.
bool DataPipeConsumer::IsContentLocked() const {
  return pipe_->available() > 0 && pipe_->new_data;
}

void DataPipeConsumer::CloseLocked(Garbage* garbage) {
  window_ = 0;
  EndLinkLocked(garbage);
  pipe_->consumer = nullptr;
  garbage->objects.emplace_back(std::move(pipe_->fd));
  garbage->objects.emplace_back(std::move(pipe_->ring));
  if (pipe_->producer) pipe_->producer->NotifyLocked();
}

Result CreateDataPipe(size_t capacity, size_t element_size, Ref<DataPipeProducer>* producer,
                      Ref<DataPipeConsumer>* consumer) {
  constexpr size_t kDefaultCapacity = 64 * 1024;
  if (element_size == 0) return Result::kInvalidArgument;
  if (capacity == 0) {
    capacity = std::max(kDefaultCapacity / element_size * element_size, element_size);
  }
  if (capacity % element_size != 0) return Result::kInvalidArgument;
  if (capacity > MaxSharedMemory()) return Result::kResourceExhausted;
  const size_t ring_bytes = DataPipe::RingBytes(capacity);
  auto pipe = MakeRef<DataPipe>();
  pipe->capacity = capacity;
  pipe->element_size = element_size;
  ScopedFd fd;
  // One page more, for the cursors if an end leaves the process.
  Result result = CreateSharedMemory(ring_bytes + PageSize(), &fd);
  if (result == Result::kOk) result = Mapping::MapTwice(fd.get(), ring_bytes, &pipe->ring);
  if (result != Result::kOk) return result;
  pipe->fd = MakeRef<SharedFd>(std::move(fd));
  *producer = MakeRef<DataPipeProducer>(pipe);
  *consumer = MakeRef<DataPipeConsumer>(pipe);
  pipe->producer = producer->get();
  pipe->consumer = consumer->get();
  return Result::kOk;
}

}  // namespace mojo_seq
