// Spinner: decides whether it pays to stay awake for a moment before sleeping.
//
// A spin saves the wake-up of a sleeping processor (20-50 us, and a third of that for who sends it),
// but only where the other side runs on another processor and answers soon. Whether it does is
// learned: who slept is told when it was woken, and so knows whether a spin would have been enough.
// Two threads that always put each other to sleep find out that way that they need not.
#pragma once

#include <bitset>
#include <utility>

#include "event.h"

namespace mojo_seq {

// How many waits have begun. Who posts something usually still holds a lock of the embedder's (in
// Python the GIL) for a moment, and lets go of it at the latest when it begins to wait itself.
inline std::atomic<uint32_t> waits_begun{0};

// Owned by one waiting thread.
class Spinner {
 public:
  // Calls `ready` until it is true or the budget is used up. With `grace`, it then waits for the
  // other side to let go of the embedder's lock: whoever finds it taken goes to sleep after all.
  template <typename F>
  bool Spin(F&& ready, bool grace = false) {
    const uint32_t begun = waits_begun.fetch_add(1, std::memory_order_relaxed) + 1;
    has_spun_ = WantsToSpin();
    if (!has_spun_) return false;
    const Time end = Now() + kBudget;
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) {
          Learn(true);
          if (grace) AwaitOtherWait(begun);
          return true;
        }
        Relax();
      }
    } while (Now() < end);
    Learn(false);
    return false;
  }

  // False: the next Spin will be skipped. Saves the caller from preparing for it.
  bool WantsToSpin() const { return recent_.count() >= kRecent / 2; }

  // After a sleep since `begin` that somebody ended by setting `event`.
  void Slept(Time begin, const Event& event) {
    const Time woken = event.woken_at();
    Slept(woken > begin ? woken - begin : Now() - begin, event.waker());
  }
  // After a sleep that a thread on processor `waker` ended, it is not known when: so it lasted a
  // wake-up longer than it was waited.
  void SleptFor(Time duration, int waker) { Slept(duration - kWakeUp, waker); }

 private:
  static constexpr Time kBudget = 100'000;  // more than the wake-up of a processor
  static constexpr Time kWakeUp = 40'000;
  static constexpr Time kGrace = 5'000;    // between posting and letting go
  static constexpr size_t kRecent = 8;

  void Slept(Time waited, int waker) {
    // The sleep after a spin in vain says nothing new.
    if (!std::exchange(has_spun_, false)) Learn(waited <= kBudget && waker != sched_getcpu());
  }
  void Learn(bool pays) {
    recent_ <<= 1;
    recent_[0] = pays;
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

  // Of the last waits, the last one first: whether a spin was enough, or would have been. Begins so
  // that the first wait spins, and a second one only if that was not in vain.
  std::bitset<kRecent> recent_{0xf0};
  bool has_spun_ = false;
};

}  // namespace mojo_seq
