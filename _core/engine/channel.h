// Channel: one end of the socket behind a pipe to another process.
//
// Whoever holds the descriptor is the end, so an end moves by sending the descriptor together with
// what is still here: frames that the kernel has not taken, and the frame that has begun to arrive.
//
// Two mutexes, each held across system calls that do not block:
//   send mutex     one writer at a time; frames leave in order
//   receive mutex  one reader at a time
// Order: transit mutex, send mutex, receive mutex, dispatcher's lock. Two channels at once only
// with the transit mutex held.
#pragma once

#include <list>
#include <mutex>
#include <vector>

#include "event.h"
#include "frame.h"
#include "io_handler.h"

namespace mojo_seq {

class Channel : public IoHandler {
 public:
  // The cookies of this socket and the other, 0 where they are not known; see SocketCookie.
  Channel(ScopedFd fd, uint64_t cookie, uint64_t peer_cookie);
  ~Channel() override;

  int fd() const { return fd_->fd.get(); }
  Ref<SharedFd> shared_fd() const { return fd_; }
  uint64_t cookie() const { return cookie_; }
  uint64_t peer_cookie() const { return peer_cookie_; }

  // Takes a mutex as a thread must that may hold the embedder's lock.
  class Guard {
   public:
    explicit Guard(std::mutex& mutex);
    ~Guard() { mutex_.unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    std::mutex& mutex_;
  };
  std::mutex& send_mutex() { return send_mutex_; }
  std::mutex& receive_mutex() { return receive_mutex_; }

  // --- with the send mutex ---
  // kOk: the message is in the kernel or in our queue, and still the caller's to destroy.
  // kFailedPrecondition: nothing was sent, the other end is gone.
  Result Send(const Message& message);
  Result SendBatch(const MessageList& messages);
  Result Send(std::vector<OutFrame> frames);
  // Sends what is queued, as far as the kernel takes it. kShouldWait: something is left.
  // kFailedPrecondition: the other end is gone, and with it what was queued.
  Result Flush();
  // Behind all that is queued; nothing is sent yet.
  void Queue(OutFrame frame);
  void Queue(const Message& message, size_t sent = 0);
  std::list<OutFrame> TakeUnsent();

  // Any thread. What was written and not taken by the kernel.
  size_t unsent() const { return unsent_.load(std::memory_order_acquire); }
  // The kernel refuses for now, but not because the socket is full: try again in a while.
  bool is_refused() const { return refused_.load(std::memory_order_acquire); }

  // --- with the receive mutex ---
  // kOk: `frames` has some. kShouldWait: none now. kFailedPrecondition: none ever again.
  // kResourceExhausted: no room for the descriptors of the next frame, which stays where it is.
  // kAborted: what came is not a frame.
  Result Receive(std::vector<InFrame>* frames);
  FrameParser& parser() { return parser_; }
  // The processor that the other side last wrote on; if that is not known, the one that any other
  // process was last seen on; -1 if there is none. Any thread.
  int peer_processor() const {
    const int processor = peer_processor_.load(std::memory_order_relaxed);
    return processor >= 0 ? processor : last_seen_processor_.load(std::memory_order_relaxed);
  }

  // --- the I/O thread's interest, of the poll mutex ---
  std::mutex& poll_mutex() { return poll_mutex_; }
  // Events for `handler` until it is 0. Not after `Retire`.
  void SetInterestLocked(uint32_t events, IoHandler* handler);
  // `handler` hears once in a while, however often this is asked for; see is_refused.
  void RetryLaterLocked(IoHandler* handler);
  void OnRetry();
  // The end is no longer its owner's: it has no interest any more.
  void Retire();

  // The owner has closed it: what is unsent goes out yet, then the socket is closed.
  void OnOwnerClosed() override;
  void OnIo(uint32_t events) override;
  size_t Unsent() const override { return unsent(); }

 private:
  void WaitToSendLocked();
  bool QueueWithLast(const FrameHeader& header, const uint8_t* payload);
  Result SendSome(const OutFrame& frame, size_t* taken);
  Result Refused(int error);
  Result ReceiveSome(std::vector<InFrame>* frames);
  Result ReceiveDescriptors(size_t count, std::vector<InFrame>* frames);
  Result ReceiveBody(std::vector<InFrame>* frames);

  const Ref<SharedFd> fd_;
  const uint64_t cookie_;
  const uint64_t peer_cookie_;

  std::mutex send_mutex_;
  std::list<OutFrame> queue_;         // send_mutex_
  std::atomic<size_t> unsent_{0};     // written under send_mutex_: messages in queue_
  std::atomic<bool> refused_{false};  // written under send_mutex_

  std::mutex receive_mutex_;
  FrameParser parser_;                // receive_mutex_
  std::atomic<int> peer_processor_{-1};
  static inline std::atomic<int> last_seen_processor_{-1};

  std::mutex poll_mutex_;
  uint64_t registration_ = 0;         // poll_mutex_, as all below; 0: none
  uint32_t interest_ = 0;
  bool retired_ = false;
  bool retrying_ = false;
  LiveCounter<Kind::kChannel> counter_;
};

}  // namespace mojo_seq
