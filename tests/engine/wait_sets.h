// Wait sets for tests.
#pragma once

#include <vector>

#include "api.h"
#include "check.h"
#include "wait_set.h"

namespace mojo_seq::testing {

class TestWaitSet {
 public:
  struct Outcome {
    Result result;
    Ref<WaitableEvent> event;
    std::vector<ReadyHandle> ready;
  };

  template <typename T>
  Result Add(const Handle<T>& handle, Signals signals) {
    ApiCall call;
    return set_->AddHandle(handle.dispatcher(), handle.value(), signals);
  }
  template <typename T>
  Result Remove(const Handle<T>& handle) {
    ApiCall call;
    return set_->RemoveHandle(handle.value());
  }
  Result Add(const Ref<WaitableEvent>& event) {
    ApiCall call;
    return set_->AddEvent(event);
  }
  Result Remove(const Ref<WaitableEvent>& event) {
    ApiCall call;
    return set_->RemoveEvent(event.get());
  }
  // By default only looks.
  Outcome Wait(size_t max_ready = 16, Time deadline = 0) {
    ApiCall call;
    Outcome outcome;
    outcome.result = set_->Wait(max_ready, deadline, &outcome.event, &outcome.ready);
    return outcome;
  }
  bool IsEmpty() { return set_->IsEmpty(); }
  void Drop() { set_ = nullptr; }

 private:
  Ref<WaitSet> set_ = MakeRef<WaitSet>();
};

inline void Signal(const Ref<WaitableEvent>& event) {
  ApiCall call;
  event->Signal();
}

}  // namespace mojo_seq::testing
