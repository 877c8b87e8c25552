// Spinner: decides whether it pays to stay awake for a moment before sleeping.
//
// A spin saves the wake-up of a sleeping processor (20-50 us, and a third of that for who sends it),
// but only where the other side runs on another processor and answers soon. After a spin in vain the
// next ones are skipped, twice as many each time: on a busy machine who spins uses up its share of
// the processor, and then waits for milliseconds. The sleeps in between correct that: two threads
// that always put each other to sleep would otherwise never find out that it is enough if both stay
// awake. Who slept is told when it was woken, and so knows whether a spin would have been enough.
#pragma once

#include "event.h"

namespace mojo_seq {

// How many waits have begun. Who posts something usually still holds a lock of the embedder's (in
// Python the GIL) for a moment, and lets go of it at the latest when it begins to wait itself.
inline std::atomic<uint32_t> waits_begun{0};

// Owned by one waiting thread.
class Spinner {
 public:
  // `budget`: ns that a spin may take.
  explicit Spinner(Time budget = kWakeUp) : budget_(budget) {}

  // Calls `ready` until it is true or the budget is used up. With `grace`, it then waits for the
  // other side to let go of the embedder's lock: whoever finds it taken goes to sleep after all.
  template <typename F>
  bool Spin(F&& ready, bool grace = false) {
    const uint32_t begun = waits_begun.fetch_add(1, std::memory_order_relaxed) + 1;
    if (skip_ > 0) {
      --skip_;
      return false;
    }
    const Time end = Now() + budget_;
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) {
          penalty_ = 0;
          if (grace) AwaitOtherWait(begun);
          return true;
        }
        Relax();
      }
    } while (Now() < end);
    penalty_ = penalty_ < kMaxPenalty ? penalty_ * 2 + 1 : kMaxPenalty;
    skip_ = penalty_;
    return false;
  }

  // False: the next Spin will be skipped. Saves the caller from preparing for it.
  bool WantsToSpin() {
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }

  // After a sleep since `begin` that somebody ended by setting `event`.
  void Slept(Time begin, const Event& event) {
    const Time woken = event.woken_at();
    Learn(woken > begin && woken - begin <= budget_, event.waker());
  }
  // After a sleep that a thread on processor `waker` ended, it is not known when.
  void SleptFor(Time duration, int waker) { Learn(duration < kShortSleep, waker); }

 private:
  static constexpr Time kWakeUp = 60'000;      // the longest usual one of a processor
  static constexpr Time kShortSleep = 250'000; // a few of them
  static constexpr Time kGrace = 5'000;        // between posting and letting go
  static constexpr uint32_t kMaxPenalty = 1023;
  static constexpr uint32_t kRetry = 7;

  void Learn(bool would_pay, int waker) {
    if (waker == sched_getcpu()) {
      skip_ = kMaxPenalty;  // it runs only while we do not
    } else if (would_pay && skip_ > kRetry) {
      skip_ = kRetry;
    }
  }
  static void AwaitOtherWait(uint32_t begun) {
    const Time end = Now() + kGrace;
    while (waits_begun.load(std::memory_order_relaxed) == begun && Now() < end) Relax();
  }
  static void Relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  const Time budget_;
  uint32_t skip_ = 0;
  uint32_t penalty_ = 0;
};

}  // namespace mojo_seq
