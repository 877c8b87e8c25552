// Platform handles: descriptors that can travel. System rules §7.

#include "platform_handle.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "threads.h"

namespace mojo_seq::testing::platform_handle_test {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

Handle<PlatformHandle> WrapNull(int* fd = nullptr) {
  const int opened = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd) *fd = opened;
  Ref<PlatformHandle> handle;
  CHECK_OK(PlatformHandle::Wrap(opened, &handle));
  return Handle<PlatformHandle>(std::move(handle));
}

TEST(closing_the_handle_closes_the_descriptor) {
  int fd;
  Handle<PlatformHandle> handle = WrapNull(&fd);
  CHECK(IsOpen(fd));
  CHECK_OK(handle.Close());
  CHECK(!IsOpen(fd));
}

TEST(unwrapping_gives_the_same_descriptor_back) {
  int fd, unwrapped = -1;
  Handle<PlatformHandle> handle = WrapNull(&fd);
  CHECK_OK(handle->Unwrap(handle.value(), &unwrapped));
  CHECK_EQ(unwrapped, fd);
  CHECK(!handle.is_open());
  CHECK_EQ(handle->Unwrap(handle.value(), &unwrapped), Result::kInvalidArgument);
  CHECK_EQ(handle.Close(), Result::kInvalidArgument);
  CHECK(IsOpen(fd));
  close(fd);
}

TEST(what_is_no_descriptor_cannot_be_wrapped) {
  Ref<PlatformHandle> handle;
  CHECK_EQ(PlatformHandle::Wrap(-1, &handle), Result::kInvalidArgument);
  const int fd = dup(0);
  close(fd);
  CHECK_EQ(PlatformHandle::Wrap(fd, &handle), Result::kInvalidArgument);
  CHECK(!handle);
}

TEST(the_descriptor_travels_as_it_is) {
  int fd, unwrapped = -1;
  Handle<PlatformHandle> handle = WrapNull(&fd);
  Pipe carrier;
  CHECK_OK(Write(carrier.a, "", {handle}));
  CHECK_EQ(handle->Unwrap(handle.value(), &unwrapped), Result::kInvalidArgument);
  Handle<PlatformHandle> received = ReadHandle<PlatformHandle>(carrier.b);
  CHECK_OK(received->Unwrap(received.value(), &unwrapped));
  CHECK_EQ(unwrapped, fd);
  close(fd);
}

TEST(closing_and_unwrapping_race_for_one_descriptor) {
  std::optional<Handle<PlatformHandle>> handle;
  int fd = -1, unwrapped = -1;
  Race(
      2'000,
      [&] {
        if (fd >= 0) {
          CHECK_EQ(IsOpen(fd), unwrapped == fd);
          if (unwrapped >= 0) close(unwrapped);
        }
        unwrapped = -1;
        handle.emplace(WrapNull(&fd));
      },
      [&] {
        int taken;
        if (handle->get()->Unwrap(handle->value(), &taken) == Result::kOk) unwrapped = taken;
      },
      [&] { handle->Close(); });
  handle.reset();
  CHECK(!IsOpen(fd));
}

}  // namespace mojo_seq::testing::platform_handle_test
