// PollWaker: wakes a thread that sleeps in a poll. Each thread that ever does so has one.
#pragma once

#include "event.h"
#include "scoped_fd.h"

namespace mojo_seq {

class PollWaker : public Waker {
 public:
  static PollWaker* OfThisThread();

  // Any thread.
  void Wake() override;

  // The thread itself: polls this for input, and empties it when it wakes.
  int fd() const { return fd_.get(); }
  void Drain();

 private:
  PollWaker();

  const ScopedFd fd_;
};

}  // namespace mojo_seq
