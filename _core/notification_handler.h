// The binding's end of a watcher: calls into Python. And where the engine must not hold the GIL,
// though it knows nothing of it.
#pragma once

#include <Python.h>

#include "engine/sequence_notifier.h"
#include "system_thread.h"

namespace mojo_seq {

class PythonHandler : public NotificationHandler {
 public:
  using Deliver = void (*)(void* target, WatchContext context, Result result, SignalsState state,
                           uint32_t flags);

  PythonHandler(NotificationTarget* target, Deliver deliver) : target_(target), deliver_(deliver) {}

  bool NeedsEmbedder() const override { return true; }
  void OnNotification(WatchContext context, Result result, const SignalsState& state,
                      uint32_t flags) override {
    deliver_(target_.get(), context, result, state, flags);
  }

 private:
  const Ref<NotificationTarget> target_;
  const Deliver deliver_;
};

inline Watcher* NewPythonWatcher(NotificationTarget* target, PythonHandler::Deliver deliver) {
  return new Watcher(Ref<NotificationHandler>(MakeRef<PythonHandler>(target, deliver)));
}

inline Watcher* NewSequenceWatcher(NotificationTarget* target, Sequence* sequence) {
  return new Watcher(Ref<NotificationHandler>(MakeRef<SequenceNotifier>(
      Ref<Sequence>(sequence), Ref<NotificationTarget>(target))));
}

// The thread that holds the mutex may be running a handler and wait for the GIL, so a thread that
// has the GIL must not keep it while it waits.
inline void LockWithoutGil(std::mutex* mutex) {
  if (!PyGILState_Check()) {
    mutex->lock();
    return;
  }
  PyThreadState* const state = PyEval_SaveThread();
  mutex->lock();
  PyEval_RestoreThread(state);
}

// A woken thread that finds the GIL taken sleeps again, and the next release of the GIL has to wake
// it once more. Waking without the GIL halves the cost of a round trip.
inline void WakeWithoutGil(const std::vector<Ref<Waker>>& wakers) {
  PyThreadState* const state = PyGILState_Check() ? PyEval_SaveThread() : nullptr;
  for (const Ref<Waker>& waker : wakers) waker->Wake();
  if (state) PyEval_RestoreThread(state);
}

inline void InstallGilHooks() {
  lock_contended = LockWithoutGil;
  wake_threads = WakeWithoutGil;
  start_system_thread = StartSystemThread;
}

}  // namespace mojo_seq
