// Bytes objects straight into a ring and out of it: one copy, no message of the engine's. The caller
// has the GIL. Nothing that may run Python happens while a lock of the engine is held; making a bytes
// object does not.
#pragma once

#include <Python.h>

#include <vector>

#include "engine/message_pipe.h"

namespace mojo_seq {

// Where the bytes of `count` objects are. False: one of them is no bytes object, or too long.
inline bool FindBytes(PyObject* const* objects, Py_ssize_t count, std::vector<ByteSpan>* spans,
                      size_t* nbytes) {
  spans->resize(static_cast<size_t>(count));
  *nbytes = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!PyBytes_CheckExact(objects[i])) return false;
    const auto size = static_cast<size_t>(PyBytes_GET_SIZE(objects[i]));
    if (size > kMostInRing) return false;
    (*spans)[static_cast<size_t>(i)] = {
        reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(objects[i])), size};
    *nbytes += size + 2 * sizeof(uint64_t);  // about what it takes in the ring
  }
  return true;
}

// Waits for room without the GIL.
inline bool AwaitRoomWithoutGil(MessagePipeEndpoint* endpoint, HandleValue value, size_t nbytes) {
  PyThreadState* const state = PyEval_SaveThread();
  const bool room = endpoint->AwaitRoom(value, nbytes);
  PyEval_RestoreThread(state);
  return room;
}

// False: it has to go the usual way, or fail there.
inline bool WriteBytes(MessagePipeEndpoint* endpoint, HandleValue value, const char* data,
                       size_t nbytes) {
  if (nbytes > kMostInRing) return false;
  const ByteSpan span{reinterpret_cast<const uint8_t*>(data), nbytes};
  Result result = endpoint->WriteQuickly(value, &span, 1);
  if (result == Result::kBusy && AwaitRoomWithoutGil(endpoint, value, nbytes + 16)) {
    result = endpoint->WriteQuickly(value, &span, 1);
  }
  return result == Result::kOk;
}

// The same for all items of a list or tuple.
inline bool WriteAllBytes(MessagePipeEndpoint* endpoint, HandleValue value, PyObject* objects) {
  static thread_local std::vector<ByteSpan> spans;  // kept, for batches are often equally long
  for (bool again : {true, false}) {
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(objects);
    size_t nbytes;
    if (static_cast<size_t>(count) > kRingBytes / 16) return false;
    if (!FindBytes(PySequence_Fast_ITEMS(objects), count, &spans, &nbytes)) return false;
    if (nbytes > kRingBytes / 2) return false;
    const Result result = endpoint->WriteQuickly(value, spans.data(), spans.size());
    if (result == Result::kOk) return true;
    // Who waits without the GIL looks at the list anew.
    if (result != Result::kBusy || !again) return false;
    if (!AwaitRoomWithoutGil(endpoint, value, nbytes)) return false;
  }
  return false;
}

// Takes up to `most` messages out of the ring, each a new bytes object. Returns how many; without
// memory, -1 if it is none.
inline int ReadBytes(MessagePipeEndpoint* endpoint, HandleValue value, PyObject** objects,
                     int most, uint32_t* sender) {
  MessagePipeEndpoint::QuickReader reader(endpoint, value);
  const uint8_t* data;
  size_t nbytes;
  int count = 0;
  for (; count < most && reader.Look(&data, &nbytes); ++count) {
    objects[count] = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data),
                                               static_cast<Py_ssize_t>(nbytes));
    if (!objects[count]) {
      if (count == 0) return -1;
      PyErr_Clear();  // the message stays where it is
      break;
    }
    reader.Pop();
  }
  if (count > 0) *sender = reader.sender();
  return count;
}

}  // namespace mojo_seq
