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
#include <utility>
#include <vector>

#include "event.h"
#include "frame.h"
#include "io_handler.h"
#include "ring.h"
#include "ticks.h"

namespace mojo_seq {

// Small messages that wait are put together up to so many bytes, so that one call sends many.
constexpr size_t kBatchBytes = 64 * 1024;
constexpr size_t kSmallFrame = 4096;
static_assert(kSmallFrame <= kMostInRing);

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
  // `number`: of the ring, if there is one; see last_number.
  void Queue(const Message& message, size_t sent, uint32_t number);
  std::list<OutFrame> TakeUnsent();
  // Any thread. How long what a full ring does not take waits for a reader that does not read.
  static void SetPatience(Time time);

  // Any thread. What was written and not taken by the kernel.
  size_t unsent() const { return unsent_.load(std::memory_order_acquire); }
  // The kernel refuses for now, but not because the socket is full: try again in a while.
  bool is_refused() const { return refused_.load(std::memory_order_acquire); }
  // What is unsent waits for room in the ring, which nobody tells of: the same.
  bool awaits_room() const { return awaits_room_.load(std::memory_order_acquire); }

  // --- rings, for pipes that are in use all the time (channel_ring.cc) ---
  // Its ring is given back if nothing went through it since this was asked last. Does not wait.
  // True: it has none any more.
  bool OnIdle();
  // Without the receive mutex. A thread is about to sleep until the socket has something: from now on
  // the other side puts something there. True: there are messages already.
  bool Arm();
  // As long as what is returned lives, somebody may be asleep at any time without having said so: the
  // other side always wakes us, but from Disarm on until something is received.
  Ref<RefCounted> KeepArmed();
  // With the receive mutex. Somebody looks all the time from now on, and calls Arm before he ceases
  // to.
  void Disarm();
  // The other end is known to be gone: what is in the ring now is all, whoever goes on writing there.
  void OnPeerGone();
  // Whether there are messages in the ring.
  bool HasNews();
  // For spinning: whether it is worth a look. Asking the socket is dear, so only now and then.
  bool MayHaveNews();
  // With both mutexes, for a pipe that leaves. They are not used here any more.
  struct Rings {
    Ref<RingWriter> out;
    Ref<RingReader> in;
  };
  Rings TakeRings();
  void GiveRings(Rings rings);
  // With the send mutex. Behind all that is queued: the ring that is not here any more was the last.
  void QueueRingEnd();

  // --- straight through the rings (channel_quick.cc); no system calls but the bell ---
  enum class Quick {
    kSent,
    kSentToSleeper,  // to be followed by WakeReader
    kFull,           // nothing was sent: there is no room
    kRefused,        // nothing was sent: it has to go the usual way
  };
  // With the send mutex. All of the messages, of up to kMostInRing bytes, or none.
  Quick SendQuickly(const ByteSpan* messages, size_t count);
  void WakeReader();
  // With the send mutex. Null: none.
  const Ref<RingWriter>& out_ring() const { return out_; }
  // With the receive mutex. Null: there is none, or each message has to be received the usual way.
  RingReader* QuickRing() const;
  // With the receive mutex. The ring that has the next message, to Pop it from; null: none has.
  RingReader* LookAtRing(const uint8_t** data, size_t* nbytes);
  void NoteProcessor(int processor);

  // --- with the receive mutex ---
  // kOk: `frames` has some. kShouldWait: none now. kFailedPrecondition: none ever again.
  // kResourceExhausted: no room for the descriptors of the next frame, which stays where it is.
  // kAborted: what came is not a frame.
  Result Receive(std::vector<InFrame>* frames);
  FrameParser& parser() { return parser_; }
  // Whether a bell was taken out of the socket since this was asked last. Whoever it was rung for may
  // not have heard it, and is not taken for asleep any more.
  bool TookBell() { return std::exchange(took_bell_, false); }
  // The processor that the other side last wrote on; if that is not known, the one that any other
  // process was last seen on; -1 if there is none. Any thread.
  int peer_processor() const {
    const int processor = peer_processor_.load(std::memory_order_relaxed);
    return processor >= 0 ? processor : last_seen_processor_.load(std::memory_order_relaxed);
  }

  // When what last woke us through the socket was sent, 0: not known. Any thread.
  Time sent_at() const { return SentAt(sent_at_.load(std::memory_order_relaxed), Now()); }

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
  void NoteSentAt(const FrameHeader& header) {
    if (header.sent_at != 0) sent_at_.store(header.sent_at, std::memory_order_relaxed);
  }
  void WaitToSendLocked();
  // In the ring, of the message that was counted last.
  uint32_t last_number() const { return out_ ? out_->position().number - 1 : 0; }
  bool QueueWithLast(const FrameHeader& header, const uint8_t* payload, uint32_t number);
  Result SendSome(const OutFrame& frame, size_t* taken);
  Result Refused(int error);
  Result ReceiveSome(std::vector<InFrame>* frames, int* rounds);

  enum class ByRing { kSent, kFull, kRefused, kGone };
  ByRing BeginByRing();
  ByRing SendByRing(const Message& message);
  ByRing SendByRing(const Message** next);
  bool MaySendByRing(bool* gone);
  ByRing MoveToRing();
  bool AwaitsReader();
  // Messages are about to go through the socket; `small`: for want of a ring.
  void CountSent(size_t messages, bool small);
  void MayOfferRing(size_t messages);
  void OfferRing();
  Result SendControl(FrameType type, Ref<SharedFd> descriptor);
  Result ReceiveByRing(std::vector<InFrame>* frames);
  bool TakeFromRing(std::vector<InFrame>* frames);
  bool TakeAll(std::vector<InFrame>* frames);
  bool IsKeptArmed() const;
  bool LooksLater();
  bool Sort(std::vector<InFrame>* came, std::vector<InFrame>* frames);
  bool AcceptRing(InFrame* offer);
  Result ReceiveDescriptors(size_t count, std::vector<InFrame>* frames);
  bool DropOffer(const uint8_t* bytes, size_t nbytes);
  Result ReceiveBody(std::vector<InFrame>* frames);

  const Ref<SharedFd> fd_;
  const uint64_t cookie_;
  const uint64_t peer_cookie_;

  std::mutex send_mutex_;
  std::list<OutFrame> queue_;         // send_mutex_
  std::atomic<size_t> unsent_{0};     // written under send_mutex_: messages in queue_
  std::atomic<bool> refused_{false};  // written under send_mutex_
  std::atomic<bool> awaits_room_{false};  // written under send_mutex_
  Ref<RingWriter> out_;               // send_mutex_, as all up to the next mutex; null: none
  uint64_t alive_ = 0;                // Ticks: the other side gave a sign of life then, or later
  uint64_t looked_ = 0;               // Ticks when we last looked for one
  uint64_t read_until_ = UINT64_MAX;  // where the reader was when the ring was last found full
  Time last_read_ = 0;                // when it was first seen there
  // A reader that has not read for so long may be stopped, or busy with something else: the socket
  // tells when it goes on, and the ring does not.
  static inline std::atomic<Time> patience_{5'000'000};
  Time streak_begin_ = 0;
  uint32_t streak_ = 0;               // messages since then
  bool in_use_ = false;               // something went through the ring since the last OnIdle
  bool was_hot_ = false;              // HotPipes may be in OnIdle: to leave waits for that

  std::mutex receive_mutex_;
  FrameParser parser_;                // receive_mutex_
  Ref<RingReader> in_;                // receive_mutex_; null: none
  uint32_t looks_ = 0;                // receive_mutex_
  bool took_bell_ = false;            // receive_mutex_
  Ref<RefCounted> kept_armed_;        // receive_mutex_; null, or ours alone: nobody needs it
  std::atomic<bool> has_in_{false};   // written under receive_mutex_
  std::atomic<int> peer_processor_{-1};
  std::atomic<uint16_t> sent_at_{0};
  static inline std::atomic<int> last_seen_processor_{-1};

  std::mutex poll_mutex_;
  uint64_t registration_ = 0;         // poll_mutex_, as all below; 0: none
  uint32_t interest_ = 0;
  bool retired_ = false;
  bool retrying_ = false;
  LiveCounter<Kind::kChannel> counter_;
};

}  // namespace mojo_seq
