// The mailbox whose message this thread is handling: a borrowed reference, or null.
#pragma once

#include <Python.h>

namespace mojo_seq {

inline thread_local PyObject* current_mailbox = nullptr;

inline PyObject* GetCurrentMailbox() { return current_mailbox; }
inline PyObject* SetCurrentMailbox(PyObject* mailbox) {
  PyObject* const previous = current_mailbox;
  current_mailbox = mailbox;
  return previous;
}

// How many steps of async methods are on this thread's stack.
inline thread_local int steps_on_stack = 0;

// A tell that must not wait for room, wherever it is made.
inline thread_local bool must_not_wait = false;
inline bool MustNotWait() { return must_not_wait; }
inline bool SetMustNotWait(bool value) {
  const bool previous = must_not_wait;
  must_not_wait = value;
  return previous;
}

}  // namespace mojo_seq
