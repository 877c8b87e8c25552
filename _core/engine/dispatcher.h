// Dispatcher: the object behind a handle. Base of every primitive.
//
// A dispatcher outlives any one handle value: sending it in a message takes its value away and
// receiving it gives it a new one. Callers name the value they hold with every call, so a stale
// handle is recognised under the same lock that the call takes anyway, and a handle that is
// closed or sent on another thread can never be used by accident.
//
// Thread-safe. Everything marked Locked needs the dispatcher's lock, which is found through
// `lock_` because the two ends of a pipe share one and fusing pipes changes it.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "fork.h"
#include "io_handler.h"
#include "linked_list.h"
#include "live_count.h"
#include "ref.h"
#include "result.h"
#include "scoped_fd.h"
#include "signals.h"
#include "spinner.h"

namespace mojo_seq {

enum class HandleType : uint8_t {
  kMessagePipe,
  kDataPipeProducer,
  kDataPipeConsumer,
  kSharedBuffer,
  kPlatformHandle,
  kWatcher,
  kSharedSegment,
};

// Strictly increasing, never 0, never reused.
using HandleValue = uint64_t;

struct Message;
class BundleWriter;

// Somebody who wants to know the state of a dispatcher: a watch, a waiter, a wait-set entry.
// Called under the dispatcher's lock, so it may take only locks below it and must not call out.
class Observer : public RefCounted {
 public:
  virtual void OnState(const SignalsState& state) = 0;
  // The handle was closed, sent or fused. The last call.
  virtual void OnGone() = 0;
  // From now on, or no longer, what happens to the dispatcher happens in another process.
  virtual void OnMoved() {}
  // Somebody else has taken what may have been there to wake him, and what it announced.
  virtual void OnBellTaken() {}
  // True if it must be told of what another process does. One that looks itself need not be.
  virtual bool NeedsIo() const { return true; }

 private:
  friend class Dispatcher;
  enum class Place : uint8_t {
    kNone,
    kHere,     // among the dispatcher's
    kAside,    // a transfer has set it aside
    kRemoved,  // and it has been removed since
  };

  Place place_ = Place::kNone;  // the dispatcher's lock
  Links<Observer> links_;       // the dispatcher's lock

 public:
  using List = LinkedList<Observer, &Observer::links_>;
};

// A singly linked list of messages that owns them.
class MessageList {
 public:
  MessageList() = default;
  MessageList(const MessageList&) = delete;
  MessageList& operator=(const MessageList&) = delete;
  ~MessageList();  // destroys what is left, without recursion however deeply pipes are nested

  bool empty() const { return head_ == nullptr; }
  size_t size() const { return size_; }
  Message* head() const { return head_; }
  void Push(Message* message);
  Message* Pop();
  // Appends all of `other`, which is empty afterwards.
  void Splice(MessageList& other);

 private:
  Message* head_ = nullptr;
  Message* tail_ = nullptr;
  size_t size_ = 0;
};

class Dispatcher : public IoHandler {
 public:
  // One of a fixed set of mutexes that never go away. Small dispatchers share them: a mutex each
  // would double the size of an idle pipe, and a shared one may be locked with no reference held.
  static std::mutex* PickStripe();

  HandleType type() const { return type_; }
  // The value of the open handle, 0 if closed, in transit or never given one.
  HandleValue value() const {
    return IsInherited() ? 0 : value_.load(std::memory_order_acquire);
  }
  // It is the parent's: this process is a fork of the one that made it. It is dead here, and its
  // locks are never touched, for a thread that is not here may hold them.
  bool IsInherited() const { return generation_ != ForkGeneration(); }
  // True for the handle that was open when the process was forked.
  bool WasOpenAtFork(HandleValue value) const {
    return IsInherited() && value_.load(std::memory_order_relaxed) == value;
  }
  // Message pipes and data pipes have signals; watching anything else is an error.
  bool IsWatchable() const { return type_ <= HandleType::kDataPipeConsumer; }

  // Gives a dispatcher that has no handle (new, or taken from a message) its handle.
  HandleValue Adopt();
  // kFailedPrecondition: views of a two-phase window are exported; nothing was changed.
  Result Close(HandleValue value);
  // With `look` it first asks the system what another process has done.
  Result QueryState(HandleValue value, SignalsState* state, bool look = true);
  // The observer hears the present state before this returns.
  Result AddObserver(HandleValue value, Ref<Observer> observer);
  void RemoveObserver(Observer* observer);

  // Sending is in two steps, so that a call with several handles takes all or none. Between them
  // the handle has no value and its observers are set aside; Abort puts both back.
  Result CheckTransit(HandleValue value);  // kInvalidArgument or kBusy, changes nothing
  Result BeginTransit(HandleValue value, Observer::List* observers);
  void AbortTransit(HandleValue value, Observer::List observers);
  void CommitTransit(Observer::List observers);
  // Closes a dispatcher that a message carried and nobody received.
  void CloseInTransit();
  bool InTransit() const;

  // Of those who wait for it.
  Spinner& spinner() { return spinner_; }

  // --- between processes; all without locks held ---
  // What a thread that waits for this dispatcher polls, and for which events; null: it is told.
  virtual Ref<SharedFd> WaitDescriptor(HandleValue /*value*/, short* /*events*/) { return nullptr; }
  // Looks for what has come from the other process. `events`: what a poll said, if there was one.
  static constexpr short kNotPolled = -1;
  virtual void LookForNews(short /*events*/ = kNotPolled) {}
  // The same, as cheaply as can be: for spinning.
  virtual void LookQuickly() { LookForNews(); }
  // The processor that the other process was last seen on, -1 if it is not known.
  virtual int PeerProcessor() const { return -1; }
  // When the other process sent what arrived last, to the microsecond; 0: not known.
  virtual Time SentAt() const { return 0; }
  // A thread is about to sleep in a poll: the other process must say if something happens.
  virtual void ArmDoorbell() {}
  // Leaves the process: writes itself and ends. In transit, under the transit mutex; cannot fail.
  virtual void Pack(BundleWriter* writer) = 0;
  // It has come from another process, with all that travelled with it.
  virtual void OnArrived() {}

 protected:
  // Holds the lock of one dispatcher. The pointer may change while we wait for the mutex.
  class Lock {
   public:
    explicit Lock(const Dispatcher* dispatcher) {
      if (dispatcher->IsInherited()) {
        mutex_ = DeadMutex();
        mutex_->lock();
        return;
      }
      for (;;) {
        mutex_ = dispatcher->lock_.load(std::memory_order_acquire);
        mutex_->lock();
        if (mutex_ == dispatcher->lock_.load(std::memory_order_relaxed)) return;
        mutex_->unlock();
      }
    }
    ~Lock() { mutex_->unlock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    static std::mutex* DeadMutex();

    std::mutex* mutex_;
  };
  // What a close leaves to do once the lock is released.
  struct Garbage {
    ~Garbage();
    MessageList messages;
    std::vector<Ref<RefCounted>> objects;
    Observer::List observers;  // that were told the last
    Ref<IoHandler> closed;  // to be told so
    std::vector<std::pair<Ref<Dispatcher>, Ref<Observer>>> observations;  // to be ended
  };

  Dispatcher(HandleType type, std::mutex* lock) : type_(type), lock_(lock) {}

  bool IsOpenLocked(HandleValue value) const {
    return value != 0 && value_.load(std::memory_order_relaxed) == value && !IsInherited();
  }
  bool HasObserversLocked() const { return !observers_.empty(); }
  bool NeedsIoLocked() const;
  void TellMovedLocked();
  void TellBellTakenLocked();
  void NotifyLocked() {
    if (!observers_.empty()) NotifyObserversLocked();
  }
  // Ends the handle (closed or fused): no value, no observers.
  void RetireLocked(Garbage* garbage);

  virtual SignalsState StateLocked() const { return {}; }
  virtual bool InTwoPhaseLocked() const { return false; }
  virtual bool HasExportsLocked() const { return false; }
  // It got a handle: it is new, or has arrived in a message.
  virtual void AdoptLocked() {}
  // The endpoint ceases to exist: tells the peer, hands over what it owned.
  virtual void CloseLocked(Garbage* garbage) = 0;
  // Somebody began or ceased to observe; without locks.
  virtual void OnObserversChanged() {}
  // It has left the process.
  void EndLocked() { closed_ = true; }
  bool IsEndedLocked() const { return closed_; }

 private:
  void NotifyObserversLocked();
  static void SayGoneLocked(const Observer::List& observers);

  const HandleType type_;
  bool closed_ = false;     // lock_
  bool reserved_ = false;   // lock_: between BeginTransit and Commit or Abort

 protected:
  // Of message pipes, here because there is room. All lock_.
  bool written_ = false;    // ever written to
  bool leaving_ = false;    // on its way out of the process: see MarkLeaving
  bool hung_up_ = false;    // the remote peer takes no more, though there may be something to read
  bool stuck_ = false;      // no descriptors for what is to be read
  std::atomic<bool> quick_{false};  // hint: it has rings
  uint32_t generation_ = ForkGeneration();  // constant

 private:
  std::atomic<HandleValue> value_{0};  // written under lock_
  Observer::List observers_;  // lock_
  LiveCounter<Kind::kDispatcher> counter_;
  Spinner spinner_;

 protected:
  std::atomic<std::mutex*> lock_;  // changed only under the old and the new mutex

  friend class Lock;
};

}  // namespace mojo_seq
