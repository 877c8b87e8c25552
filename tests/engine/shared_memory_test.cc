// Shared memory: memfds and mappings of them. System rules §6.

#include "shared_memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

namespace mojo_seq::testing::shared_memory_test {

ScopedFd Create(size_t nbytes) {
  ScopedFd fd;
  CHECK_OK(CreateSharedMemory(nbytes, &fd));
  return fd;
}

ScopedFd OrdinaryFile(size_t nbytes) {
  char path[] = "/tmp/mojo_seq_engine_XXXXXX";
  ScopedFd fd(mkstemp(path));
  CHECK(fd.is_valid());
  unlink(path);
  CHECK_EQ(ftruncate(fd.get(), static_cast<off_t>(nbytes)), 0);
  return fd;
}

TEST(new_memory_is_zero_and_keeps_its_size) {
  ScopedFd fd = Create(10'000);
  Ref<Mapping> mapping;
  CHECK_OK(Mapping::Map(fd.get(), 0, 10'000, false, &mapping));
  for (size_t i = 0; i < 10'000; ++i) CHECK_EQ(mapping->data()[i], 0);
  CHECK(ftruncate(fd.get(), 100) != 0);
  CHECK(ftruncate(fd.get(), 20'000) != 0);
  CHECK(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
}

TEST(more_than_the_machine_has_is_refused) {
  ScopedFd fd;
  CHECK_EQ(CreateSharedMemory(MaxSharedMemory() + 1, &fd), Result::kResourceExhausted);
  CHECK_EQ(CreateSharedMemory(SIZE_MAX, &fd), Result::kResourceExhausted);
  CHECK(!fd.is_valid());
}

TEST(mappings_of_the_same_memory_share_it) {
  ScopedFd fd = Create(3 * PageSize());
  Ref<Mapping> whole, part;
  CHECK_OK(Mapping::Map(fd.get(), 0, 3 * PageSize(), false, &whole));
  const size_t offset = PageSize() + 50;
  CHECK_OK(Mapping::Map(fd.get(), offset, 100, false, &part));
  CHECK_EQ(part->nbytes(), 100u);
  part->data()[0] = 1;
  part->data()[99] = 2;
  CHECK_EQ(whole->data()[offset], 1);
  CHECK_EQ(whole->data()[offset + 99], 2);
  fd = ScopedFd();  // a mapping outlives the descriptor
  whole->data()[offset] = 3;
  CHECK_EQ(part->data()[0], 3);
}

TEST(a_ring_is_mapped_twice_in_a_row) {
  const size_t nbytes = 2 * PageSize();
  ScopedFd fd = Create(nbytes);
  Ref<Mapping> ring;
  CHECK_OK(Mapping::MapTwice(fd.get(), nbytes, &ring));
  CHECK_EQ(ring->nbytes(), nbytes);
  for (size_t i = 0; i < nbytes; i += 97) {
    ring->data()[i] = static_cast<uint8_t>(i);
    CHECK_EQ(ring->data()[nbytes + i], static_cast<uint8_t>(i));
    ring->data()[nbytes + i] = 77;
    CHECK_EQ(ring->data()[i], 77);
  }
}

TEST(exports_keep_a_mapping_mapped) {
  ScopedFd fd = Create(PageSize());
  Ref<Mapping> mapping;
  CHECK_OK(Mapping::Map(fd.get(), 0, PageSize(), false, &mapping));
  CHECK_OK(mapping->AddExport());
  CHECK_OK(mapping->AddExport());
  CHECK_EQ(mapping->Unmap(), Result::kBusy);
  mapping->DropExport();
  CHECK_EQ(mapping->Unmap(), Result::kBusy);
  CHECK(mapping->is_mapped());
  mapping->DropExport();
  CHECK_OK(mapping->Unmap());
  CHECK(!mapping->is_mapped());
  CHECK_OK(mapping->Unmap());  // twice is harmless
  CHECK_EQ(mapping->AddExport(), Result::kFailedPrecondition);
}

TEST(pointers_kept_past_an_unmap_reach_only_zeroes) {
  ScopedFd fd = Create(2 * PageSize());
  Ref<Mapping> mapping, other;
  CHECK_OK(Mapping::Map(fd.get(), 10, PageSize(), false, &mapping));
  CHECK_OK(Mapping::Map(fd.get(), 0, 2 * PageSize(), false, &other));
  mapping->data()[0] = 5;
  uint8_t* const kept = mapping->data();
  CHECK_OK(mapping->Unmap());
  CHECK_EQ(kept[0], 0);
  kept[0] = 6;
  kept[PageSize() - 1] = 7;
  CHECK_EQ(other->data()[10], 5);
}

TEST(a_read_only_descriptor_refuses_writing) {
  ScopedFd fd = Create(PageSize()), read_only;
  CHECK_OK(ReopenReadOnly(fd.get(), &read_only));
  CHECK(mmap(nullptr, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED, read_only.get(), 0) ==
        MAP_FAILED);
  CHECK(write(read_only.get(), "x", 1) < 0);
  Ref<Mapping> writable, readable;
  CHECK_OK(Mapping::Map(fd.get(), 0, PageSize(), false, &writable));
  CHECK_OK(Mapping::Map(read_only.get(), 0, PageSize(), true, &readable));
  CHECK(readable->read_only());
  writable->data()[3] = 9;
  CHECK_EQ(readable->data()[3], 9);
}

TEST(memory_is_checked_before_it_is_believed) {
  ScopedFd fd = Create(1'000);
  CHECK_OK(CheckSharedMemory(fd.get(), 1'000, false));
  CHECK_OK(CheckSharedMemory(fd.get(), 1, true));
  CHECK_EQ(CheckSharedMemory(fd.get(), 0, false), Result::kInvalidArgument);
  CHECK_EQ(CheckSharedMemory(fd.get(), 1'001, false), Result::kInvalidArgument);
  CHECK_EQ(CheckSharedMemory(-1, 1, false), Result::kInvalidArgument);
  ScopedFd read_only;
  CHECK_OK(ReopenReadOnly(fd.get(), &read_only));
  CHECK_EQ(CheckSharedMemory(read_only.get(), 1'000, false), Result::kInvalidArgument);
  CHECK_OK(CheckSharedMemory(read_only.get(), 1'000, true));
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(CheckSharedMemory(ends[0], 1, true), Result::kInvalidArgument);
  close(ends[0]);
  close(ends[1]);
}

TEST(memory_that_could_shrink_is_sealed) {
  ScopedFd fd(memfd_create("shrinkable", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_EQ(ftruncate(fd.get(), 1'000), 0);
  CHECK_OK(CheckSharedMemory(fd.get(), 1'000, false));
  CHECK(ftruncate(fd.get(), 10) != 0);
}

TEST(an_ordinary_file_will_do) {
  ScopedFd fd = OrdinaryFile(5'000);
  CHECK_OK(CheckSharedMemory(fd.get(), 5'000, false));
  CHECK_EQ(CheckSharedMemory(fd.get(), 5'001, false), Result::kInvalidArgument);
}

}  // namespace mojo_seq::testing::shared_memory_test
