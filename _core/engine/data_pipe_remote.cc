// The half of data pipes that deals with an end in another process.
#include "data_pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>

#include "bundle.h"
#include "data_pipe_core.h"
#include "notification.h"
#include "socket.h"

namespace mojo_seq {

namespace {

enum : uint8_t {
  kConnected = 1,  // the other end is open, and this is its socket
  kHasMemory = 2,  // there is, or can be, something in the ring
};

uint32_t ThisProcessor() { return static_cast<uint32_t>(sched_getcpu() + 1); }

}  // namespace

// --- cursors ---

void DataPipe::AddWritten(size_t nbytes) {
  written += nbytes;
  new_data = true;
  if (consumer) {
    consumer->NotifyLocked();
  } else if (link) {
    // In this order on this side, and the flag before the cursor on the other: one of the two sees
    // what the other did.
    link->cursors().producer_processor.store(ThisProcessor(), std::memory_order_relaxed);
    link->cursors().written.store(written, std::memory_order_seq_cst);
    auto& waits = link->cursors().consumer_waits;
    if (waits.load(std::memory_order_seq_cst) != 0 && waits.exchange(0) != 0) {
      QueueWake(Ref<Waker>(Ref<DataPipeLink>(link)));
    }
  }
}

void DataPipe::AddConsumed(size_t nbytes) {
  consumed += nbytes;
  if (producer) {
    producer->NotifyLocked();
  } else if (link) {
    link->cursors().consumer_processor.store(ThisProcessor(), std::memory_order_relaxed);
    link->cursors().consumed.store(consumed, std::memory_order_seq_cst);
    auto& waits = link->cursors().producer_waits;
    if (waits.load(std::memory_order_seq_cst) != 0 && waits.exchange(0) != 0) {
      QueueWake(Ref<Waker>(Ref<DataPipeLink>(link)));
    }
  }
}

bool DataPipe::Sync() {
  if (!link) return false;
  DataPipeCursors& cursors = link->cursors();
  uint64_t* const theirs = producer ? &consumed : &written;
  const uint64_t most = producer ? available() : free_space();
  // The flag first: who has seen it knows the last word of the cursor.
  const bool closed = (producer ? cursors.consumer_closed : cursors.producer_closed)
                          .load(std::memory_order_acquire) != 0;
  const uint64_t now =
      (producer ? cursors.consumed : cursors.written).load(std::memory_order_seq_cst);
  const uint64_t step = now - *theirs;
  const bool lies = step > most || misaligned(step);
  if (step == 0 && !closed) return false;
  if (step > 0 && !lies) {
    *theirs = now;
    if (!producer) new_data = true;
  }
  if (lies || closed) QueueWake(Ref<Waker>(std::move(link)));  // it ends once no lock is held
  return true;
}

bool DataPipe::Arm() {
  if (!link) return false;
  DataPipeCursors& cursors = link->cursors();
  (producer ? cursors.producer_waits : cursors.consumer_waits).store(1, std::memory_order_seq_cst);
  return Sync();
}

// --- news ---

void DataPipeEnd::SyncLocked() {
  if (pipe_->link && pipe_->Sync()) NotifyLocked();
}

void DataPipeEnd::ChangedLocked() {
  if (pipe_->link && HasObserversLocked() && !IsContentLocked()) pipe_->Arm();
  NotifyLocked();
}

bool DataPipeEnd::IsRemote() const {
  Lock lock(this);
  return static_cast<bool>(pipe_->link);
}

void DataPipeEnd::LookQuickly() {
  Lock lock(this);
  SyncLocked();
}

int DataPipeEnd::PeerProcessor() const {
  Lock lock(this);
  if (!pipe_->link) return -1;
  const DataPipeCursors& cursors = pipe_->link->cursors();
  return static_cast<int>((is_producer() ? cursors.consumer_processor : cursors.producer_processor)
                              .load(std::memory_order_relaxed)) - 1;
}

void DataPipeEnd::ArmDoorbell() {
  Lock lock(this);
  if (!IsContentLocked() && pipe_->Arm()) NotifyLocked();
}

Ref<SharedFd> DataPipeEnd::WaitDescriptor(HandleValue value, short* events) {
  Lock lock(this);
  if (!IsOpenLocked(value) || !pipe_->link) return nullptr;
  *events = POLLIN | POLLRDHUP;
  return pipe_->link->socket();
}

void DataPipeEnd::LookForNews(short events) {
  Ref<DataPipeLink> link;  // released after the lock
  {
    Lock lock(this);
    link = pipe_->link;
  }
  if (!link) return;
  // An end that somebody else has seen may be that of a socket which was ours before.
  if (events == kNotPolled || (events & (POLLRDHUP | POLLHUP | POLLERR))) {
    events = PollSocket(link->fd(), POLLIN | POLLRDHUP);
  }
  const bool gone = link->Answer(events);
  Lock lock(this);
  if (pipe_->link.get() != link.get()) return;
  const bool news = pipe_->Sync();
  if (gone) pipe_->link = nullptr;
  // Also without news: the other end may have come here or left.
  if (news || gone || (events & POLLIN)) NotifyLocked();
}

void DataPipeEnd::OnIo(uint32_t events) {
  // epoll's events have poll's numbers.
  LookForNews(events == 0 ? kNotPolled : static_cast<short>(events));
  OnObserversChanged();
}

void DataPipeEnd::OnObserversChanged() {
  Ref<DataPipeLink> link;
  {
    Lock lock(this);
    link = pipe_->link;
  }
  if (!link) return;
  std::lock_guard<std::mutex> poll(link->poll_mutex());
  bool wanted;
  {
    Lock lock(this);
    wanted = pipe_->link.get() == link.get() && NeedsIoLocked();
    if (wanted && !IsContentLocked() && pipe_->Arm()) NotifyLocked();
  }
  link->SetInterestLocked(wanted, this);
}

void DataPipeEnd::EndLinkLocked(Garbage* garbage) {
  if (!pipe_->link) return;
  DataPipeCursors& cursors = pipe_->link->cursors();
  (is_producer() ? cursors.producer_closed : cursors.consumer_closed)
      .store(1, std::memory_order_release);
  garbage->objects.emplace_back(std::move(pipe_->link));
}

// --- leaving ---

Result DataPipeEnd::PrepareToLeave() {
  Ref<SharedFd> fd;
  {
    Lock lock(this);
    if (!pipe_->producer || !pipe_->consumer || pipe_->preparation.page) return Result::kOk;
    fd = pipe_->fd;
  }
  DataPipe::Preparation made;
  Result result = CreateSocketPair(&made.leaving, &made.staying);
  if (result == Result::kOk) {
    result = Mapping::Map(fd->fd.get(), DataPipe::RingBytes(pipe_->capacity), PageSize(), false,
                          &made.page);
  }
  if (result != Result::kOk) return result;
  Lock lock(this);
  std::swap(pipe_->preparation, made);
  return Result::kOk;
}

void DataPipeEnd::StayAfterAll() {
  DataPipe::Preparation dropped;
  Lock lock(this);
  std::swap(pipe_->preparation, dropped);
}

void DataPipeEnd::Pack(BundleWriter* writer) {
  Ref<SharedFd> socket;
  Ref<SharedFd> memory;
  Ref<DataPipeLink> left;     // released after the lock
  Ref<DataPipeEnd> staying;
  DataPipe::Preparation prepared;
  Garbage garbage;
  uint64_t written;
  uint64_t consumed;
  uint64_t peer_cookie = 0;
  Ref<DataPipeLink> staying_link;
  {
    Lock lock(this);
    SyncLocked();
    std::swap(pipe_->preparation, prepared);
    DataPipeEnd* const other = is_producer() ? static_cast<DataPipeEnd*>(pipe_->consumer)
                                             : static_cast<DataPipeEnd*>(pipe_->producer);
    memory = pipe_->fd;
    if (other) {
      // They were together; now there is a link between them.
      const uint64_t cookie = SocketCookie(prepared.staying.get());
      peer_cookie = cookie;
      pipe_->link = MakeRef<DataPipeLink>(std::move(prepared.staying), cookie,
                                          SocketCookie(prepared.leaving.get()),
                                          std::move(prepared.page));
      DataPipeCursors& cursors = pipe_->link->cursors();
      cursors.written.store(pipe_->written, std::memory_order_relaxed);
      cursors.consumed.store(pipe_->consumed, std::memory_order_relaxed);
      cursors.producer_processor.store(0, std::memory_order_relaxed);
      cursors.consumer_processor.store(0, std::memory_order_relaxed);
      cursors.producer_closed.store(0, std::memory_order_relaxed);
      cursors.consumer_closed.store(0, std::memory_order_relaxed);
      cursors.producer_waits.store(0, std::memory_order_relaxed);
      cursors.consumer_waits.store(0, std::memory_order_relaxed);
      socket = MakeRef<SharedFd>(std::move(prepared.leaving));
      staying = Ref<DataPipeEnd>(other);
      staying_link = pipe_->link;
    } else if (pipe_->link) {
      left = std::move(pipe_->link);
      socket = left->socket();
      peer_cookie = left->peer_cookie();
    }
    written = pipe_->written;
    consumed = pipe_->consumed;
    if (is_producer()) {
      pipe_->producer = nullptr;
    } else {
      pipe_->consumer = nullptr;
    }
    if (!other) {
      garbage.objects.emplace_back(std::move(pipe_->fd));
      garbage.objects.emplace_back(std::move(pipe_->ring));
    }
    EndLocked();
    if (other) {
      other->NotifyLocked();
      other->TellMovedLocked();
    }
  }
  if (left) left->Leave();
  if (staying_link) staying_link->Attend();
  if (staying) staying->OnObserversChanged();
  writer->Number<uint8_t>((socket ? kConnected : 0) | (memory ? kHasMemory : 0));
  writer->Number<uint64_t>(pipe_->capacity);
  writer->Number<uint64_t>(pipe_->element_size);
  writer->Number<uint64_t>(written);
  writer->Number<uint64_t>(consumed);
  if (memory) writer->Descriptor(std::move(memory));
  if (!socket) return;
  writer->Number<uint64_t>(peer_cookie);
  writer->Descriptor(std::move(socket));
}

// --- arriving ---

Ref<Dispatcher> UnpackDataPipeEnd(HandleType type, BundleReader* reader) {
  uint8_t flags = 0;
  uint64_t capacity = 0;
  uint64_t element_size = 0;
  auto pipe = MakeRef<DataPipe>();
  if (!reader->Number(&flags) || !reader->Number(&capacity) || !reader->Number(&element_size) ||
      !reader->Number(&pipe->written) || !reader->Number(&pipe->consumed)) {
    return nullptr;
  }
  if (element_size == 0 || capacity == 0 || capacity > MaxSharedMemory() ||
      capacity % element_size != 0) {
    return nullptr;
  }
  pipe->capacity = capacity;
  pipe->element_size = element_size;
  const uint64_t unread = pipe->written - pipe->consumed;
  if (unread > capacity || pipe->misaligned(unread)) return nullptr;
  if (flags & kHasMemory) {
    ScopedFd memory;
    if (!reader->Descriptor(&memory)) return nullptr;
    const size_t ring_bytes = DataPipe::RingBytes(capacity);
    struct stat info;
    if (!IsSealedMemory(memory.get()) || fstat(memory.get(), &info) != 0 ||
        static_cast<uint64_t>(info.st_size) < ring_bytes + PageSize() ||
        Mapping::MapTwice(memory.get(), ring_bytes, &pipe->ring) != Result::kOk) {
      return nullptr;
    }
    pipe->fd = MakeRef<SharedFd>(std::move(memory));
    if (flags & kConnected) {
      ScopedFd socket;
      Ref<Mapping> page;
      uint64_t peer_cookie = 0;
      if (!reader->Number(&peer_cookie) || !reader->Descriptor(&socket) || !IsConnectedSocket(socket.get()) ||
          Mapping::Map(pipe->fd->fd.get(), ring_bytes, PageSize(), false, &page) != Result::kOk) {
        return nullptr;
      }
      const uint64_t cookie = SocketCookie(socket.get());
      pipe->link = MakeRef<DataPipeLink>(std::move(socket), cookie, peer_cookie, std::move(page));
      pipe->link->Attend();
    }
  } else if ((flags & kConnected) || unread > 0) {
    return nullptr;
  }
  if (type == HandleType::kDataPipeProducer) {
    auto end = MakeRef<DataPipeProducer>(pipe);
    pipe->producer = end.get();
    return end;
  }
  auto end = MakeRef<DataPipeConsumer>(pipe);
  pipe->consumer = end.get();
  return end;
}

}  // namespace mojo_seq
