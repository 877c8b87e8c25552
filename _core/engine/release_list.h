// References to the embedder's objects that the engine has let go of, on whatever thread. The
// embedder gives them up later, where it may: the engine never waits for an interpreter.
#pragma once

#include <atomic>
#include <vector>

namespace mojo_seq {

inline std::atomic<bool> has_releases{false};
inline bool HasReleases() { return has_releases.load(std::memory_order_acquire); }

void ReleaseLater(void* object);
std::vector<void*> TakeReleases();

}  // namespace mojo_seq
