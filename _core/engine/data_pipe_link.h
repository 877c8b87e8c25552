// DataPipeLink: how one end of a data pipe is tied to the other in another process.
//
// The ring is shared; its cursors are in a page of their own behind it. What stands there is a hint
// from the other side: each side has a copy of its own of both, and believes only what can be true.
// A socket pair is the doorbell, rung only for those who said that they sleep, and the death notice.
#pragma once

#include <mutex>

#include "event.h"
#include "fork.h"
#include "io_handler.h"
#include "shared_memory.h"

namespace mojo_seq {

// In shared memory. Each line is written by one side only, but for the flags of who waits, which
// the other side takes down.
struct DataPipeCursors {
  alignas(64) std::atomic<uint64_t> written;
  std::atomic<uint32_t> producer_closed;
  std::atomic<uint32_t> producer_processor;  // that it last ran on, plus one
  alignas(64) std::atomic<uint64_t> consumed;
  std::atomic<uint32_t> consumer_closed;
  std::atomic<uint32_t> consumer_processor;
  alignas(64) std::atomic<uint32_t> producer_waits;
  alignas(64) std::atomic<uint32_t> consumer_waits;
};

// Wake() rings the doorbell, so it is done like the waking of a thread: with no lock held.
class DataPipeLink : public Waker {
 public:
  // The cookies of this socket and the other; see SocketCookie.
  DataPipeLink(ScopedFd socket, uint64_t cookie, uint64_t peer_cookie, Ref<Mapping> page);
  ~DataPipeLink() override;

  Ref<SharedFd> socket() const { return socket_; }
  int fd() const { return socket_->fd.get(); }
  DataPipeCursors& cursors() { return *reinterpret_cast<DataPipeCursors*>(page_->data()); }

  uint64_t peer_cookie() const { return peer_cookie_; }
  // True while the other end is in this process, too. Then they go on as they are, but neither is
  // remote. A change is told like everything else: by the doorbell.
  bool is_near() const { return near_.load(std::memory_order_relaxed); }
  void Attend();

  void Wake() override;
  // Takes what rang; true if the other side is gone.
  bool Answer(short events);

  // The I/O thread's interest: while `wanted`, `handler` hears of the doorbell.
  std::mutex& poll_mutex() { return poll_mutex_; }
  void SetInterestLocked(bool wanted, IoHandler* handler);
  // This end has left with the socket.
  void Leave() { End(false); }

 private:
  void End(bool closed);
  void Absent();

  const Ref<SharedFd> socket_;
  const uint64_t cookie_;
  const uint64_t peer_cookie_;
  std::atomic<bool> near_{false};  // written under the mutex of the meeting
  const Ref<Mapping> page_;
  std::mutex poll_mutex_;
  uint64_t registration_ = 0;  // poll_mutex_; 0: none
  bool ended_ = false;         // poll_mutex_
  const uint32_t generation_ = ForkGeneration();
  LiveCounter<Kind::kChannel> counter_;
};

}  // namespace mojo_seq
