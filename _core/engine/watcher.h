// Watcher: many handles, one handler, armed for one wave of notifications at a time.
//
// Lock order: a dispatcher's lock, then the watcher's. A watch keeps its verdict up to date from
// the observer calls, so arming looks at no dispatcher at all.
#pragma once

#include <unordered_map>

#include "dispatcher.h"
#include "notification.h"

namespace mojo_seq {

class Watcher;

// Identifies a watch within its watcher; chosen by the caller.
using WatchContext = uint64_t;

constexpr uint32_t kNotificationNone = 0;
constexpr uint32_t kNotificationFromSystem = 1;

// Receives a watcher's notifications, on any thread, with no engine lock held.
class NotificationHandler : public RefCounted {
 public:
  // True if it needs the embedder's lock, and so cannot run on the I/O thread.
  virtual bool NeedsEmbedder() const { return false; }
  virtual void OnNotification(WatchContext context, Result result, const SignalsState& state,
                              uint32_t flags) = 0;
};

class Watch : public Observer {
 public:
  Watch(Ref<Watcher> watcher, Ref<Dispatcher> dispatcher, HandleValue value, Signals signals,
        WatchContext context);
  ~Watch() override;

  void OnState(const SignalsState& state) override;
  void OnGone() override;

  // Runs the watcher's handler, unless a later cancellation has overtaken this notification.
  void Dispatch(Result result, const SignalsState& state, uint32_t flags);
  bool NeedsEmbedder() const;

 private:
  friend class Watcher;

  const Ref<Watcher> watcher_;
  const Ref<Dispatcher> dispatcher_;
  const HandleValue value_;  // of the handle that is watched
  const Signals signals_;
  const WatchContext context_;
  std::mutex dispatch_mutex_;  // held while the handler runs: one at a time per context

  // The rest is owned by the watcher's mutex, except that Dispatch reads `cancelled_`.
  std::atomic<bool> cancelled_{false};
  bool is_ready_ = false;
  Result verdict_ = Result::kShouldWait;
  SignalsState state_;
  Watch* ready_next_ = nullptr;  // the watcher's ready list
  Watch* ready_previous_ = nullptr;
  LiveCounter<Kind::kWatch> counter_;
};

struct ReadyWatch {
  WatchContext context;
  Result result;
  SignalsState state;
};

class Watcher : public Dispatcher {
 public:
  explicit Watcher(Ref<NotificationHandler> handler)
      : Dispatcher(HandleType::kWatcher, &own_lock_), handler_(std::move(handler)) {}

  // kInvalidArgument: a dead handle (checked first) or one without signals (checked last);
  // kAlreadyExists: the context or the handle is in use here.
  Result WatchHandle(HandleValue value, Ref<Dispatcher> dispatcher, HandleValue watched,
                     Signals signals, WatchContext context);
  Result CancelWatch(HandleValue value, WatchContext context);  // kNotFound
  bool HasWatch(WatchContext context);
  // kOk: armed. kFailedPrecondition: not armed, up to `max_ready` of the watches that are in the
  // way are in `ready`; those longest unreported come first. kNotFound: nothing is watched.
  Result Arm(HandleValue value, size_t max_ready, std::vector<ReadyWatch>* ready);

  void Pack(BundleWriter*) override {}  // watchers do not travel

 protected:
  void CloseLocked(Garbage* garbage) override;

 private:
  friend class Watch;

  void LinkReadyLocked(Watch* watch);
  void UnlinkReadyLocked(Watch* watch);
  // Takes the watch out of every table; null if somebody was faster.
  Ref<Watch> CancelLocked(Watch* watch);

  std::mutex own_lock_;
  const Ref<NotificationHandler> handler_;
  bool armed_ = false;                                       // own_lock_, as all below
  std::unordered_map<WatchContext, Ref<Watch>> watches_;
  // By value: the receiver of a sent handle may watch the same dispatcher before the sender's
  // watch has been ended.
  std::unordered_map<HandleValue, Watch*> by_handle_;
  Watch* ready_head_ = nullptr;  // longest unreported first
  Watch* ready_tail_ = nullptr;
};

}  // namespace mojo_seq
