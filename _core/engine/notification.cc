#include "notification.h"

#include <condition_variable>
#include <deque>
#include <vector>

#include "fork.h"
#include "io_thread.h"
#include "watcher.h"

namespace mojo_seq {

void (*lock_contended)(std::mutex*) = [](std::mutex* mutex) { mutex->lock(); };

void (*start_system_thread)() = [] {};

void (*wake_threads)(const std::vector<Ref<Waker>>&) = [](const std::vector<Ref<Waker>>& wakers) {
  for (const Ref<Waker>& waker : wakers) waker->Wake();
};

namespace {

struct Notification {
  Ref<Watch> watch;
  Result result;
  SignalsState state;
  uint32_t flags;
};

struct Queue {
  std::deque<Notification> cancelled;  // delivered before all others
  std::deque<Notification> others;
  std::vector<Ref<Waker>> wakes;
};

thread_local Queue queue;
thread_local bool dispatching = false;
thread_local bool from_system = false;

// What the I/O thread has left to the embedder's thread.
struct SystemQueue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Notification> notifications;  // mutex
  bool stopping = false;                   // mutex
};

SystemQueue& TheSystemQueue() {
  static ForkLocal<SystemQueue> system;
  return system.Get();
}

void LeaveToSystemThread(Notification notification) {
  SystemQueue& system = TheSystemQueue();
  {
    std::lock_guard<std::mutex> lock(system.mutex);
    system.notifications.push_back(std::move(notification));
  }
  start_system_thread();
  system.changed.notify_one();
}

}  // namespace

bool TakeSystemNotifications() {
  SystemQueue& system = TheSystemQueue();
  std::unique_lock<std::mutex> lock(system.mutex);
  system.changed.wait(lock, [&] { return system.stopping || !system.notifications.empty(); });
  if (system.stopping) return false;
  for (Notification& each : system.notifications) queue.others.push_back(std::move(each));
  system.notifications.clear();
  pending_dispatch = true;
  return true;
}

void StopSystemNotifications() {
  SystemQueue& system = TheSystemQueue();
  std::deque<Notification> dropped;  // after the lock
  std::lock_guard<std::mutex> lock(system.mutex);
  system.stopping = true;
  dropped.swap(system.notifications);
  system.changed.notify_all();
}

void QueueNotification(Ref<Watch> watch, Result result, const SignalsState& state) {
  auto& target = result == Result::kCancelled ? queue.cancelled : queue.others;
  const uint32_t flags = from_system ? kNotificationFromSystem : kNotificationNone;
  target.push_back({std::move(watch), result, state, flags});
  pending_dispatch = true;
}

void QueueWake(Ref<Waker> waker) {
  queue.wakes.push_back(std::move(waker));
  pending_dispatch = true;
}

void FlushWakes() {
  while (!queue.wakes.empty()) {
    std::vector<Ref<Waker>> wakes;
    wakes.swap(queue.wakes);
    wake_threads(wakes);
  }
}

void DispatchPending() {
  FlushWakes();
  if (dispatching) {
    pending_dispatch = false;  // the frame that dispatches looks at the queue itself
    return;
  }
  const bool outer = from_system;
  dispatching = true;
  while (!queue.cancelled.empty() || !queue.others.empty()) {
    auto& source = queue.cancelled.empty() ? queue.others : queue.cancelled;
    Notification next = std::move(source.front());
    source.pop_front();
    if (OnIoThread() && next.watch->NeedsEmbedder()) {
      LeaveToSystemThread(std::move(next));
      continue;
    }
    from_system = (next.flags & kNotificationFromSystem) != 0;
    next.watch->Dispatch(next.result, next.state, next.flags);
    FlushWakes();
  }
  dispatching = false;
  from_system = outer;
  pending_dispatch = false;
}

SystemScope::SystemScope() : outer_(from_system) { from_system = true; }
SystemScope::~SystemScope() { from_system = outer_; }

}  // namespace mojo_seq
