// The task runner whose task this thread is running: a borrowed reference, or null.
#pragma once

#include <Python.h>

namespace mojo_seq {

inline thread_local PyObject* current_runner = nullptr;

inline PyObject* GetCurrentRunner() { return current_runner; }
inline PyObject* SetCurrentRunner(PyObject* runner) {
  PyObject* const previous = current_runner;
  current_runner = runner;
  return previous;
}

}  // namespace mojo_seq
