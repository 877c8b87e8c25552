// The thread that runs Python callbacks for what comes from other processes: the I/O thread must not
// wait for the GIL.
#pragma once

#include <Python.h>

#include <mutex>
#include <thread>

#include "engine/fork.h"
#include "engine/io_thread.h"
#include "engine/message_pipe.h"
#include "engine/notification.h"
#include "engine/socket.h"

namespace mojo_seq {

struct SystemThread {
  std::mutex mutex;
  std::thread thread;    // mutex
  bool stopped = false;  // mutex: for good, the interpreter is about to end
};

inline SystemThread& TheSystemThread() {
  static ForkLocal<SystemThread> thread;
  return thread.Get();
}

// One thread state for the thread's whole life: making one costs more than a callback.
inline void RunSystemThread() {
  const PyGILState_STATE state = PyGILState_Ensure();
  for (;;) {
    bool more;
    Py_BEGIN_ALLOW_THREADS
    more = TakeSystemNotifications();
    Py_END_ALLOW_THREADS
    if (!more) break;
    DispatchPending();
  }
  PyGILState_Release(state);
}

inline void StartSystemThread() {
  SystemThread& system = TheSystemThread();
  std::lock_guard<std::mutex> lock(system.mutex);
  if (system.stopped || system.thread.joinable()) return;
  system.thread = std::thread(RunSystemThread);
}

// Without the GIL.
inline void StopSystemThread() {
  SystemThread& system = TheSystemThread();
  std::thread thread;
  {
    std::lock_guard<std::mutex> lock(system.mutex);
    system.stopped = true;
    thread = std::move(system.thread);
  }
  StopSystemNotifications();
  if (thread.joinable()) thread.join();
}

inline Ref<MessagePipeEndpoint> AdoptSocket(int fd) {
  return MessagePipeEndpoint::FromSocket(MoveHigh(ScopedFd(fd)));
}

inline void StartLifeline(int fd) { IoThread::Get().WatchLifeline(MoveHigh(ScopedFd(fd))); }

}  // namespace mojo_seq
