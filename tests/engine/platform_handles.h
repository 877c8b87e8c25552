// Platform handles for tests, and how to know a file again on the other side.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "api.h"
#include "check.h"
#include "message_pipes.h"
#include "odd_descriptors.h"
#include "platform_handle.h"

namespace mojo_seq::testing {

using FileHandle = Handle<PlatformHandle>;

inline FileHandle WrapFile(ScopedFd fd) {
  Ref<PlatformHandle> wrapped;
  const int number = fd.Detach();
  CHECK_OK(PlatformHandle::Wrap(number, &wrapped));
  return FileHandle(std::move(wrapped));
}

// A file that can be told from others: it holds this number.
inline FileHandle NumberedFile(uint64_t number) {
  ScopedFd memory = MakeMemory(sizeof number);
  CHECK_EQ(pwrite(memory.get(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
  return WrapFile(std::move(memory));
}
inline uint64_t NumberOf(const FileHandle& handle) {
  int fd = -1;
  CHECK_OK(handle->Unwrap(handle.value(), &fd));
  const ScopedFd owned(fd);
  uint64_t number = 0;
  CHECK_EQ(pread(fd, &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
  return number;
}
inline uint64_t NumberOf(const Ref<Dispatcher>& dispatcher) {
  CHECK_EQ(dispatcher->type(), HandleType::kPlatformHandle);
  return NumberOf(Receive<PlatformHandle>(dispatcher));
}

inline std::vector<FileHandle> NumberedFiles(size_t count, uint64_t first = 0) {
  std::vector<FileHandle> files;
  for (size_t i = 0; i < count; ++i) files.push_back(NumberedFile(first + i));
  return files;
}
template <typename T>
std::vector<Attached> AttachAll(const std::vector<Handle<T>>& handles) {
  return {handles.begin(), handles.end()};
}

}  // namespace mojo_seq::testing
