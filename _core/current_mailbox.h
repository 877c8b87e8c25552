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

}  // namespace mojo_seq
