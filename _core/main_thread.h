// The thread that a process starts with is the one on which Python runs signal handlers.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

namespace mojo_seq {

inline bool IsMainThread() {
  static thread_local const bool is_main = syscall(SYS_gettid) == getpid();
  return is_main;
}

}  // namespace mojo_seq
