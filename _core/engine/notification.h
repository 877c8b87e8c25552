// Notifications wait here, per thread, until the API call that provoked them has released its
// locks; then they are dispatched. A handler's own API calls only add to the queue, so handlers
// never run inside one another's frames (system rules §9.3).
#pragma once

#include <mutex>
#include <vector>

#include "event.h"
#include "ref.h"
#include "result.h"
#include "signals.h"

namespace mojo_seq {

class Watch;

// Queue for the current thread; callable under any lock.
void QueueNotification(Ref<Watch> watch, Result result, const SignalsState& state);
void QueueWake(Ref<Waker> waker);

// True if this thread has something to dispatch. Cheap: for the end of every API call.
inline thread_local bool pending_dispatch = false;
inline bool HasPendingDispatch() { return pending_dispatch; }

// Wakes the threads that were queued. Call it with no lock held.
void FlushWakes();

// Wakes threads and runs handlers until nothing is left. Inside a handler it only wakes: the
// frame below dispatches the rest. Call it with no lock held.
void DispatchPending();

// How to lock a mutex that is held by a thread running a handler. The binding replaces it: a
// thread that holds the interpreter's lock must give it up first, or the handler could never end.
extern void (*lock_contended)(std::mutex* mutex);

// How to make the system calls that wake threads. The binding replaces it: a woken thread wants the
// interpreter's lock, and would go back to sleep if its waker still had it.
extern void (*wake_threads)(const std::vector<Ref<Waker>>& wakers);

// Notifications for the embedder that arise on the I/O thread, which must not wait for its lock, are
// left to a thread of the embedder's. This starts it; it is called on the I/O thread, more than once.
extern void (*start_system_thread)();
// For that thread: waits for notifications and queues them for itself, to be dispatched. False:
// the thread is to end.
bool TakeSystemNotifications();
void StopSystemNotifications();

// Marks the notifications queued while it lives, and those that their handlers provoke, as coming
// from another process (FROM_SYSTEM).
class SystemScope {
 public:
  SystemScope();
  ~SystemScope();

 private:
  bool outer_;
};

}  // namespace mojo_seq
