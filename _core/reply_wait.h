// How a thread sleeps until a reply has come.
#pragma once

#include <sched.h>

#include "engine/event.h"
#include "engine/notification.h"
#include "engine/spinner.h"

namespace mojo_seq {

// A thread waits for one reply at a time, or for another one in a signal handler meanwhile: whoever
// is woken looks again.
inline Event* ThreadEvent() {
  thread_local const Ref<Event> event = MakeRef<Event>();
  return event.get();
}

// With no lock of the embedder's held. Who completes a reply holds it for a moment longer. Whoever
// asks somebody who sleeps waits for a wake-up, and for what is done then with cold caches.
inline Spinner* ReplySpinner() {
  constexpr uint8_t kWakeUpAndWork = 100;  // us
  thread_local Spinner spinner(kWakeUpAndWork);
  return &spinner;
}
inline Wake SleepUntilSet(Event* event, Time deadline) {
  return event->Wait(deadline, ReplySpinner(), true);
}
// The same, but does not sleep.
inline void SpinUntilSet(Event* event) {
  ReplySpinner()->Spin([event] { return event->IsSet(); }, true);
}

// When a coroutine on this thread last let others have their turn, as far as is known.
inline Time* LastTurn() {
  thread_local Time last = 0;
  return &last;
}

inline int CurrentProcessor() { return sched_getcpu(); }

inline void WakeSleeper(const Ref<Event>& event) {
  if (event->Set()) QueueWake(Ref<Event>(event));
}

}  // namespace mojo_seq
