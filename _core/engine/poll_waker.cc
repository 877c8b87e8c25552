#include "poll_waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "fork.h"

namespace mojo_seq {

PollWaker* PollWaker::OfThisThread() {
  static thread_local Ref<PollWaker> waker;
  static thread_local uint32_t generation = 0;
  if (!waker || generation != ForkGeneration()) {
    waker = Ref<PollWaker>::Adopt(new PollWaker);
    generation = ForkGeneration();
  }
  return waker.get();
}

PollWaker::PollWaker() : fd_(MoveHigh(ScopedFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)))) {}

void PollWaker::Wake() {
  const uint64_t one = 1;
  // It fails only if it is full, and then there is something to wake up for.
  const ssize_t written = write(fd_.get(), &one, sizeof one);
  static_cast<void>(written);
}

void PollWaker::Drain() {
  uint64_t value;
  const ssize_t got = read(fd_.get(), &value, sizeof value);
  static_cast<void>(got);
}

}  // namespace mojo_seq
