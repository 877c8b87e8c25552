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

// For debuggers and logs: threading knows the thread by a name.
inline void NameSystemThread() {
  PyObject* const threading = PyImport_ImportModule("threading");
  PyObject* const thread =
      threading ? PyObject_CallMethod(threading, "current_thread", nullptr) : nullptr;
  PyObject* const name = thread ? PyUnicode_FromString("mojo_seq-system") : nullptr;
  if (!name || PyObject_SetAttrString(thread, "name", name) != 0) PyErr_WriteUnraisable(nullptr);
  Py_XDECREF(name);
  Py_XDECREF(thread);
  Py_XDECREF(threading);
}

// One thread state for the thread's whole life: making one costs more than a callback.
inline void RunSystemThread() {
  const PyGILState_STATE state = PyGILState_Ensure();
  NameSystemThread();
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
