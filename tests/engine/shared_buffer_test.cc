// Shared buffers. System rules §6.

#include "shared_buffer.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "threads.h"

namespace mojo_seq::testing::shared_buffer_test {

using Buffer = Handle<SharedBuffer>;

constexpr Guid kGuid{1, 2, 3};

Buffer Create(size_t nbytes) {
  Ref<SharedBuffer> buffer;
  CHECK_OK(SharedBuffer::Create(nbytes, kGuid, &buffer));
  return Buffer(std::move(buffer));
}

Buffer Duplicate(const Buffer& buffer, bool read_only) {
  Ref<SharedBuffer> duplicate;
  CHECK_OK(buffer->Duplicate(buffer.value(), read_only, &duplicate));
  return Buffer(std::move(duplicate));
}

Ref<Mapping> Map(const Buffer& buffer, size_t offset, size_t nbytes) {
  Ref<Mapping> mapping;
  CHECK_OK(buffer->Map(buffer.value(), offset, nbytes, &mapping));
  return mapping;
}

SharedBufferInfo Unwrap(const Buffer& buffer) {
  SharedBufferInfo info;
  CHECK_OK(buffer->Unwrap(buffer.value(), &info));
  return info;
}

TEST(sizes_that_make_no_sense_are_refused) {
  Ref<SharedBuffer> buffer;
  CHECK_EQ(SharedBuffer::Create(0, kGuid, &buffer), Result::kInvalidArgument);
  CHECK_EQ(SharedBuffer::Create(SIZE_MAX, kGuid, &buffer), Result::kResourceExhausted);
  CHECK(!buffer);
}

TEST(ranges_are_checked_without_overflowing) {
  Buffer buffer = Create(100);
  Ref<Mapping> mapping;
  const auto map = [&](size_t offset, size_t nbytes) {
    return buffer->Map(buffer.value(), offset, nbytes, &mapping);
  };
  CHECK_EQ(map(0, 101), Result::kInvalidArgument);
  CHECK_EQ(map(1, 100), Result::kInvalidArgument);
  CHECK_EQ(map(0, 0), Result::kInvalidArgument);
  CHECK_EQ(map(100, 1), Result::kInvalidArgument);
  CHECK_EQ(map(101, 0), Result::kInvalidArgument);
  CHECK_EQ(map(SIZE_MAX, 2), Result::kInvalidArgument);
  CHECK_EQ(map(50, SIZE_MAX), Result::kInvalidArgument);
  CHECK(!mapping);
  CHECK_OK(map(50, 50));
  CHECK_EQ(mapping->nbytes(), 50u);
}

TEST(handles_and_duplicates_share_the_memory) {
  Buffer buffer = Create(100);
  Buffer duplicate = Duplicate(buffer, false);
  CHECK(!duplicate->read_only());
  Ref<Mapping> first = Map(buffer, 0, 100), second = Map(duplicate, 50, 50);
  first->data()[60] = 4;
  CHECK_EQ(second->data()[10], 4);
  CHECK_OK(buffer.Close());
  CHECK_OK(duplicate.Close());
  second->data()[10] = 5;  // mappings outlive all handles
  CHECK_EQ(first->data()[60], 5);
}

TEST(a_read_only_duplicate_cannot_write_and_breeds_its_kind) {
  Buffer buffer = Create(100);
  Ref<Mapping> writable = Map(buffer, 0, 100);
  Buffer duplicate = Duplicate(buffer, true);
  CHECK(duplicate->read_only());
  CHECK(Duplicate(duplicate, false)->read_only());
  Ref<Mapping> readable = Map(duplicate, 0, 100);
  CHECK(readable->read_only());
  writable->data()[7] = 8;
  CHECK_EQ(readable->data()[7], 8);
  const SharedBufferInfo info = Unwrap(duplicate);
  CHECK(info.read_only);
  CHECK_EQ(fcntl(info.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  close(info.fd);
}

TEST(a_read_only_duplicate_can_be_made_of_a_received_buffer) {
  Buffer buffer = Create(100);
  Pipe carrier;
  CHECK_OK(Write(carrier.a, "", {buffer}));
  Buffer received = ReadHandle<SharedBuffer>(carrier.b);
  CHECK(Duplicate(received, true)->read_only());
  CHECK(!received->read_only());
}

TEST(a_dead_handle_cannot_be_used) {
  Buffer buffer = Create(100);
  CHECK_OK(buffer.Close());
  Ref<SharedBuffer> duplicate;
  Ref<Mapping> mapping;
  SharedBufferInfo info;
  CHECK_EQ(buffer->Duplicate(buffer.value(), false, &duplicate), Result::kInvalidArgument);
  CHECK_EQ(buffer->Map(buffer.value(), 0, 1, &mapping), Result::kInvalidArgument);
  CHECK_EQ(buffer->Unwrap(buffer.value(), &info), Result::kInvalidArgument);
  CHECK_EQ(info.fd, -1);
}

TEST(unwrapping_and_wrapping_keep_everything) {
  Buffer buffer = Create(100);
  Map(buffer, 0, 100)->data()[3] = 9;
  const SharedBufferInfo info = Unwrap(buffer);
  CHECK(!buffer.is_open());
  CHECK_EQ(info.nbytes, 100u);
  CHECK(info.guid == kGuid);
  CHECK(!info.read_only);
  Ref<SharedBuffer> wrapped;
  CHECK_OK(SharedBuffer::Wrap(info, &wrapped));
  Buffer again(std::move(wrapped));
  CHECK_EQ(Map(again, 0, 100)->data()[3], 9);
  CHECK_OK(again.Close());
  CHECK(fcntl(info.fd, F_GETFD) < 0);
}

TEST(unwrapping_one_of_several_leaves_the_others_alone) {
  Buffer buffer = Create(100);
  Buffer duplicate = Duplicate(buffer, false);
  const SharedBufferInfo info = Unwrap(buffer);
  CHECK(fcntl(info.fd, F_GETFD) & FD_CLOEXEC);
  close(info.fd);
  Map(duplicate, 0, 100)->data()[0] = 1;
}

TEST(what_is_not_as_claimed_is_not_wrapped_and_not_taken) {
  Ref<SharedBuffer> wrapped;
  const auto wrap = [&](int fd, size_t nbytes, bool read_only) {
    SharedBufferInfo info;
    info.fd = fd;
    info.nbytes = nbytes;
    info.read_only = read_only;
    return SharedBuffer::Wrap(info, &wrapped);
  };
  CHECK_EQ(wrap(-1, 10, false), Result::kInvalidArgument);
  Buffer buffer = Create(100);
  Buffer read_only = Duplicate(buffer, true);
  const int writable_fd = Unwrap(buffer).fd, readable_fd = Unwrap(read_only).fd;
  CHECK_EQ(wrap(writable_fd, 101, false), Result::kInvalidArgument);
  CHECK_EQ(wrap(readable_fd, 100, false), Result::kInvalidArgument);
  CHECK_EQ(wrap(writable_fd, 0, false), Result::kInvalidArgument);
  CHECK(fcntl(writable_fd, F_GETFD) >= 0);
  CHECK(fcntl(readable_fd, F_GETFD) >= 0);
  close(readable_fd);
  // A writable descriptor given as read-only is re-opened, and the writable one closed.
  CHECK_OK(wrap(writable_fd, 100, true));
  Buffer made(std::move(wrapped));
  CHECK(made->read_only());
  const int fd = Unwrap(made).fd;
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  close(fd);
}

TEST(duplicating_and_unwrapping_race_without_losing_the_descriptor) {
  std::optional<Buffer> buffer, duplicate;
  Race(
      1'000,
      [&] {
        if (duplicate) Map(*duplicate, 0, 100)->data()[1] = 1;
        buffer.emplace(Create(100));
        duplicate.emplace(Duplicate(*buffer, false));
      },
      [&] { close(Unwrap(*buffer).fd); },
      [&] {
        Ref<SharedBuffer> made;
        if (duplicate->get()->Duplicate(duplicate->value(), false, &made) == Result::kOk) {
          Map(Buffer(std::move(made)), 0, 100)->data()[2] = 2;
        }
      });
}

TEST(closing_and_mapping_race) {
  std::optional<Buffer> buffer;
  Race(
      1'000, [&] { buffer.emplace(Create(100)); },
      [&] {
        Ref<Mapping> mapping;
        const Result result = buffer->get()->Map(buffer->value(), 0, 100, &mapping);
        CHECK(result == Result::kOk || result == Result::kInvalidArgument);
        if (mapping) mapping->data()[99] = 1;
      },
      [&] { CHECK_OK(buffer->Close()); });
}

}  // namespace mojo_seq::testing::shared_buffer_test
