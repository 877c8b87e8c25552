// Blocking waits for handles.
#pragma once

#include <vector>

#include "dispatcher.h"
#include "event.h"

namespace mojo_seq {

// A thread that waits for one of several handles. Made, used and destroyed by one thread.
class Waiter {
 public:
  Waiter();
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // kInvalidArgument: dead or unwatchable.
  Result Add(Dispatcher* dispatcher, HandleValue value, Signals signals);
  // Sleeps until a handle is ready, is gone, or can never be ready. kOk: see `index`.
  // kDeadlineExceeded. kShouldWait: a signal handler ran; call again.
  Result Wait(Time deadline);

  size_t index() const { return index_; }
  Result result() const { return result_; }       // kOk, kFailedPrecondition, kCancelled
  // The last one known of each handle; of handle `index()`, the one that ended the wait.
  SignalsState state(size_t index) const;

 private:
  class Entry;
  struct Shared;

  Ref<Shared> shared_;
  std::vector<Ref<Entry>> entries_;
  bool grace_ = false;  // for message pipes, which are written to with the embedder's lock held
  size_t index_ = 0;
  Result result_ = Result::kShouldWait;
};

}  // namespace mojo_seq
