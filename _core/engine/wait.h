// Blocking waits for handles.
//
// A thread that waits for handles of this process sleeps on a futex and is woken by whoever changes
// them. If the peer of one is in another process it sleeps in a poll of the sockets themselves, so
// that no other thread has to wake up for it.
#pragma once

#include <poll.h>

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
  // The same without sleeping: kOk or kDeadlineExceeded.
  Result Look();

  size_t index() const { return index_; }
  Result result() const { return result_; }       // kOk, kFailedPrecondition, kCancelled
  // The last one known of each handle; of handle `index()`, the one that ended the wait.
  SignalsState state(size_t index) const;

 private:
  class Entry;
  struct Shared;

  bool FindDescriptors();
  Wake Sleep(Time deadline);
  Wake Poll(Time deadline);
  int PeerProcessor() const;
  Time SentAt() const;
  Spinner& spinner() const;
  Wake PollOnce();
  void TakeIn(bool all);
  bool IsOver() const;

  Ref<Shared> shared_;
  std::vector<Ref<Entry>> entries_;
  std::vector<Ref<SharedFd>> descriptors_;  // of the entries, null where there is none
  std::vector<pollfd> polled_;              // the first is this thread's own, to wake it
  bool grace_ = false;  // for message pipes, which are written to with the embedder's lock held
  size_t index_ = 0;
  Result result_ = Result::kShouldWait;
};

}  // namespace mojo_seq
