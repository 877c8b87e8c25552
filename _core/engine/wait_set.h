// WaitSet: a lasting set of handles and events that a thread waits on again and again
// (system rules §11). WaitableEvent: an event that can be in such sets.
//
// Lock order: dispatcher, then wait set; waitable event, then wait set.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "dispatcher.h"
#include "event.h"

namespace mojo_seq {

class WaitSet;

class WaitableEvent : public RefCounted {
 public:
  WaitableEvent(bool manual_reset, bool signaled)
      : manual_reset_(manual_reset), signaled_(signaled) {}

  void Signal();
  void Reset();
  bool IsSignaled();
  // kOk: signaled, and reset again if that is automatic. kDeadlineExceeded. kShouldWait: a signal
  // handler ran; call again.
  Result Wait(Time deadline);
  bool TryTake();  // what a successful wait does

 private:
  friend class WaitSet;

  const bool manual_reset_;
  std::mutex mutex_;
  bool signaled_;                      // mutex_
  std::vector<WaitSet*> sets_;         // mutex_: those it is in; each removes itself
  std::atomic<uint32_t> signals_{0};   // changes with every signal: what waiters sleep on
  std::atomic<uint32_t> waiters_{0};
};

struct ReadyHandle {
  Ref<Dispatcher> dispatcher;
  HandleValue value;
  Result result;  // kOk, kFailedPrecondition, kCancelled
  SignalsState state;
};

class WaitSet : public RefCounted {
 public:
  WaitSet();
  ~WaitSet() override;

  Result AddHandle(Ref<Dispatcher> dispatcher, HandleValue value, Signals signals);
  Result RemoveHandle(HandleValue value);  // kNotFound
  Result AddEvent(Ref<WaitableEvent> event);
  Result RemoveEvent(WaitableEvent* event);
  bool IsEmpty();

  // kOk: `event` is one that was signaled, or null, and `ready` has up to `max_ready` handles;
  // both may be given at once. An empty set returns at once with neither. kDeadlineExceeded.
  // kShouldWait: a signal handler ran; call again.
  Result Wait(size_t max_ready, Time deadline, Ref<WaitableEvent>* event,
              std::vector<ReadyHandle>* ready);
  // The same without sleeping. False: there is nothing yet.
  bool Look(size_t max_ready, Ref<WaitableEvent>* event, std::vector<ReadyHandle>* ready);

 private:
  friend class WaitableEvent;
  // How a thing is found that is to be reported is never by looking through those that are not: a
  // set may have very many members.
  class Entry : public Observer {
   public:
    Entry(WaitSet* set, Ref<Dispatcher> dispatcher, HandleValue value, Signals signals)
        : dispatcher(std::move(dispatcher)), value(value), signals_(signals), set_(set) {}

    void OnState(const SignalsState& new_state) override;
    void OnGone() override;
    // The set goes away or no longer wants to know. Never called with the set's mutex held.
    void Detach();

    const Ref<Dispatcher> dispatcher;
    const HandleValue value;
    Result verdict = Result::kShouldWait;  // the set's mutex, as the next two
    SignalsState state;
    bool is_ready = false;  // in the ready list
    Links<Entry> links;

   private:
    void SetVerdictLocked(Result new_verdict);

    const Signals signals_;
    std::mutex mutex_;  // between the dispatcher's lock and the set's
    WaitSet* set_;      // mutex_
  };
  struct EventEntry {
    Ref<WaitableEvent> event;
    uint64_t turn;  // larger for those that were reported, or added, later
  };

  bool IsEmptyLocked() const { return entries_.empty() && ready_.empty() && events_.empty(); }
  // A thread that waits has something to see, or nothing to wait for any more.
  void QueueNews();
  // Called with the event's mutex.
  void OnSignal(WaitableEvent* event);
  Ref<WaitableEvent> TakeEvent();
  void TakeReadyLocked(size_t max_ready, std::vector<ReadyHandle>* ready);

  std::mutex mutex_;
  Ref<Event> wake_ = MakeRef<Event>();                    // set whenever there may be news
  Spinner spinner_;                                       // of who waits
  std::unordered_map<HandleValue, Ref<Entry>> entries_;   // mutex_, as all below
  LinkedList<Entry, &Entry::links> ready_;                // longest unreported first
  std::unordered_map<WaitableEvent*, EventEntry> events_;
  // Those that were signaled and may be so still, by their turns: longest unreported first.
  std::map<uint64_t, WaitableEvent*> signaled_;
  uint64_t turns_ = 0;
  LiveCounter<Kind::kWaitSet> counter_;
};

}  // namespace mojo_seq
