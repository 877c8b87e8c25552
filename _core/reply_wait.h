// How a thread sleeps until a reply has come.
#pragma once

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
inline Wake SleepUntilSet(Event* event, Time deadline) {
  constexpr Time kWakeUpAndWork = 100'000;
  thread_local Spinner spinner(kWakeUpAndWork);
  return event->Wait(deadline, &spinner, true);
}

inline void WakeSleeper(const Ref<Event>& event) {
  if (event->Set()) QueueWake(Ref<Event>(event));
}

}  // namespace mojo_seq
