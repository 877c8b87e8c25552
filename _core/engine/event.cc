#include "event.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "spinner.h"

namespace mojo_seq {

Time Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1'000'000'000) + now.tv_nsec;
}

Wake FutexWait(std::atomic<uint32_t>* word, uint32_t expected, Time deadline) {
  timespec until;
  timespec* timeout = nullptr;
  if (deadline != kNever) {
    if (deadline < 0) deadline = 0;
    until.tv_sec = deadline / 1'000'000'000;
    until.tv_nsec = deadline % 1'000'000'000;
    timeout = &until;
  }
  // WAIT_BITSET takes an absolute monotonic time, so an interrupted wait needs no arithmetic.
  const long status = syscall(SYS_futex, reinterpret_cast<uint32_t*>(word),
                              FUTEX_WAIT_BITSET_PRIVATE, expected, timeout, nullptr,
                              FUTEX_BITSET_MATCH_ANY);
  if (status == 0 || errno == EAGAIN) return Wake::kWoken;
  if (errno == EINTR) return Wake::kInterrupted;
  return Wake::kTimedOut;
}

void FutexWake(std::atomic<uint32_t>* word, int how_many) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE_PRIVATE, how_many, nullptr,
          nullptr, 0);
}

mojo_seq::Wake Event::Wait(Time deadline, Spinner* spinner, bool grace) {
  if (IsSet()) return mojo_seq::Wake::kWoken;
  if (spinner && spinner->Spin([this] { return IsSet(); }, grace)) return mojo_seq::Wake::kWoken;
  const Time begin = spinner ? Now() : 0;
  for (;;) {
    uint32_t clear = kClear;
    if (!state_.compare_exchange_strong(clear, kSleeping, std::memory_order_seq_cst) &&
        clear == kSet) {
      return mojo_seq::Wake::kWoken;
    }
    const mojo_seq::Wake wake = FutexWait(&state_, kSleeping, deadline);
    if (IsSet()) {
      if (spinner) spinner->Slept(begin, *this);
      return mojo_seq::Wake::kWoken;
    }
    if (wake != mojo_seq::Wake::kWoken) {
      // Nobody sleeps any more; a setter need not make a system call for us.
      uint32_t sleeping = kSleeping;
      state_.compare_exchange_strong(sleeping, kClear, std::memory_order_seq_cst);
      return IsSet() ? mojo_seq::Wake::kWoken : wake;
    }
  }
}

}  // namespace mojo_seq
