// The test environment that this thread is in: a borrowed reference, or null.
#pragma once

#include <Python.h>

namespace mojo_seq {

inline thread_local PyObject* current_environment = nullptr;

inline PyObject* GetCurrentEnvironment() { return current_environment; }
inline void SetCurrentEnvironment(PyObject* environment) { current_environment = environment; }

}  // namespace mojo_seq
