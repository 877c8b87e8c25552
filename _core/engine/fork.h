// What a forked child must know of its birth: nothing that it inherited is its own.
//
// A lock may have been held by a thread that is not here, a socket is a copy that keeps the parent's
// peers from noticing its end. So all that existed is given up: dispatchers of an earlier
// generation are dead and are never locked, descriptors are closed, and what the process has one of
// is made anew.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

namespace mojo_seq {

inline std::atomic<uint32_t> fork_generation{0};
inline uint32_t ForkGeneration() { return fork_generation.load(std::memory_order_relaxed); }

// To be called in the child, before anything else here. Its only thread is the caller.
void AfterForkInChild();

// An object of which each process has its own. Never destroyed.
template <typename T>
class ForkLocal {
 public:
  T& Get() {
    State* state = state_.load(std::memory_order_acquire);
    if (state && state->generation == ForkGeneration()) return state->object;
    auto* const made = new State;
    if (state_.compare_exchange_strong(state, made, std::memory_order_acq_rel)) return made->object;
    delete made;
    return state->object;
  }

 private:
  struct State {
    const uint32_t generation = ForkGeneration();
    T object;
  };
  std::atomic<State*> state_{nullptr};
};

}  // namespace mojo_seq
