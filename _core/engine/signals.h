// Handle signals and the state of a handle: what is satisfied now, what can still be.
#pragma once

#include <cstdint>

#include "result.h"

namespace mojo_seq {

using Signals = uint32_t;

constexpr Signals kSignalNone = 0;
constexpr Signals kSignalReadable = 1;
constexpr Signals kSignalWritable = 2;
constexpr Signals kSignalPeerClosed = 4;
constexpr Signals kSignalNewDataReadable = 8;
constexpr Signals kSignalPeerRemote = 16;

struct SignalsState {
  Signals satisfied = 0;
  Signals satisfiable = 0;
};

// What a wait for `signals` would say of `state`: kOk if any of them is satisfied,
// kFailedPrecondition if none can ever be, kShouldWait otherwise.
inline Result Verdict(const SignalsState& state, Signals signals) {
  if (state.satisfied & signals) return Result::kOk;
  if (!(state.satisfiable & signals)) return Result::kFailedPrecondition;
  return Result::kShouldWait;
}

}  // namespace mojo_seq
