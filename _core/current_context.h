// The context variables of this thread, looked at without a copy.
#pragma once

#include <Python.h>

namespace mojo_seq {

// A copy of the current context, or null (with no exception set) if no variable is set in it.
inline PyObject* CopyContextUnlessEmpty() {
  PyObject* const current = PyThreadState_Get()->context;
  if (!current || PyObject_Size(current) == 0) return nullptr;
  return PyContext_CopyCurrent();
}

}  // namespace mojo_seq
