// A peer that sends what no peer should: it costs itself its pipe and nothing else. Architecture,
// "bad input"; system rules §13.9.

#include <sys/ioctl.h>
#include <time.h>

#include <functional>
#include <thread>

#include "check.h"
#include "descriptors.h"
#include "frames.h"
#include "odd_descriptors.h"
#include "peer_report.h"
#include "sockets.h"
#include "watchers.h"

namespace mojo_seq::testing::hostile_peer_test {

Time ProcessorTime() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * INT64_C(1'000'000'000) + now.tv_nsec;
}

// A victim, and a pipe of the same process that must not suffer with it.
struct Scene {
  Scene() { TakeBadPeers(); }

  void Send(const ByteVector& bytes, const std::vector<int>& fds = {}) {
    SendAllRaw(victim.peer.get(), bytes, fds);
  }
  // The victim has noticed, said so, and hung up.
  void CheckRefused() {
    OwnedMessage message;
    CHECK_EQ(AwaitRead(victim.end, &message), Result::kFailedPrecondition);
    CHECK_STATE(victim.end, kSignalPeerClosed, kSignalPeerClosed);
    CHECK_EQ(Write(victim.end, "x"), Result::kFailedPrecondition);
    CHECK_EQ(TakeBadPeers().size(), 1u);
    CHECK(PollSocket(victim.peer.get(), POLLRDHUP) & POLLRDHUP);
    CheckBystander();
  }
  // The victim has taken it for what it is, and goes on.
  void CheckAlive() {
    Send(PlainFrame("alive"));
    CHECK_EQ(AwaitText(victim.end), "alive");
    CHECK_EQ(TakeBadPeers().size(), 0u);
    CheckBystander();
  }
  void CheckBystander() {
    CHECK_OK(Write(bystander.a, "untouched"));
    CHECK_EQ(AwaitText(bystander.b), "untouched");
  }

  HalfPipe victim;
  RemotePipe bystander;
};

// --- bytes ---

TEST(what_is_no_frame_ends_the_pipe) {
  for (size_t nbytes : {32, 33, 100, 5'000, 100'000}) {
    Scene scene;
    scene.Send(ByteVector(nbytes, 'x'));
    scene.CheckRefused();
  }
}

TEST(each_field_of_a_header_is_checked) {
  const std::vector<std::function<void(FrameHeader*)>> lies = {
      [](FrameHeader* header) { header->magic = 0; },
      [](FrameHeader* header) { header->magic ^= 1u << 31; },
      [](FrameHeader* header) { header->type = FrameType{0}; },
      [](FrameHeader* header) { header->type = FrameType{3}; },
      [](FrameHeader* header) { header->type = FrameType{255}; },
      [](FrameHeader* header) { header->flags = 4; },
      [](FrameHeader* header) { header->flags = 0x83; },
      [](FrameHeader* header) { header->descriptors = kMaxFrameDescriptors + 1; },
      [](FrameHeader* header) { header->descriptors = 0xffff; },
      [](FrameHeader* header) { header->payload_bytes = MaxMessageBytes() + 1; },
      [](FrameHeader* header) { header->payload_bytes = UINT64_MAX; },
      [](FrameHeader* header) { header->payload_bytes = uint64_t{1} << 63; },
      [](FrameHeader* header) { header->meta_bytes = kMaxInlineMeta + 1; },
      [](FrameHeader* header) { header->meta_bytes = UINT64_MAX - 31; },
      [](FrameHeader* header) {
        header->flags = kPayloadInMemory;
        header->payload_bytes = MaxMessageBytes() + 1;
      },
      [](FrameHeader* header) { header->type = FrameType::kDescriptors; },
      [](FrameHeader* header) {
        header->type = FrameType::kDescriptors;
        header->descriptors = 1;
        header->payload_bytes = 1;
      },
      [](FrameHeader* header) {
        header->type = FrameType::kDescriptors;
        header->descriptors = 1;
        header->meta_bytes = 1;
      },
      [](FrameHeader* header) {
        header->type = FrameType::kDescriptors;
        header->descriptors = 1;
        header->flags = kMetaInMemory;
      },
  };
  for (const auto& lie : lies) {
    Scene scene;
    FrameHeader header = MakeHeader(0, 0);
    lie(&header);
    scene.Send(FrameOf(header));
    scene.CheckRefused();
  }
}

TEST(what_was_said_before_is_delivered) {
  Scene scene;
  ByteVector bytes = PlainFrame("one");
  Append(&bytes, PlainFrame(""));
  Append(&bytes, PlainFrame(Pattern(100'000, 1)));
  scene.Send(bytes);
  scene.Send(ByteVector(64, 0xff));
  CHECK_EQ(AwaitText(scene.victim.end), "one");
  CHECK_EQ(AwaitText(scene.victim.end), "");
  CHECK_EQ(AwaitText(scene.victim.end), Pattern(100'000, 1));
  scene.CheckRefused();
}

TEST(a_frame_that_breaks_off_is_never_delivered) {
  const ByteVector whole = PlainFrame(Pattern(10'000, 2));
  for (size_t nbytes : {size_t{1}, size_t{31}, size_t{32}, size_t{33}, whole.size() - 1}) {
    Scene scene;
    scene.Send(PlainFrame("before"));
    scene.Send(ByteVector(whole.begin(), whole.begin() + static_cast<ssize_t>(nbytes)));
    scene.victim.peer = ScopedFd();
    CHECK_EQ(AwaitText(scene.victim.end), "before");
    OwnedMessage message;
    CHECK_EQ(AwaitRead(scene.victim.end, &message), Result::kFailedPrecondition);
    CHECK_EQ(TakeBadPeers().size(), 0u);  // it may have been killed
    scene.CheckBystander();
  }
}

TEST(a_large_size_that_is_only_announced_costs_nothing) {
  Scene scene;
  const size_t before = StatusBytes("VmRSS");
  scene.Send(FrameOf(MakeHeader(0, MaxMessageBytes()), "but no more"));
  OwnedMessage message;
  CHECK_EQ(Read(scene.victim.end, &message), Result::kShouldWait);
  CHECK(StatusBytes("VmRSS") < before + (size_t{16} << 20));
  scene.CheckBystander();
}

TEST(a_byte_out_of_band_makes_nobody_busy) {
  Scene scene;
  const char byte = 'x';
  if (SendRaw(scene.victim.peer.get(), &byte, 1, {}, MSG_OOB) < 0) return;  // not in this kernel
  const Time before = ProcessorTime();
  OwnedMessage message;
  Result result = Read(scene.victim.end, &message);
  if (result == Result::kShouldWait) {
    Waiter waiter;
    CHECK_OK(waiter.Add(scene.victim.end.get(), scene.victim.end.value(), kSignalReadable));
    waiter.Wait(Now() + 300'000'000);
  }
  CHECK(ProcessorTime() - before < 200'000'000);
}

TEST(a_byte_out_of_band_does_not_occupy_the_io_thread) {
  Scene scene;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(scene.victim.end, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  const char byte = 'x';
  if (SendRaw(scene.victim.peer.get(), &byte, 1, {}, MSG_OOB) < 0) return;  // not in this kernel
  const Time before = ProcessorTime();
  usleep(300'000);
  CHECK(ProcessorTime() - before < 200'000'000);
}

TEST(an_endless_stream_of_empty_frames_does_not_hold_a_reader) {
  // Frames that say there are descriptors with them, and there are none: never a whole message.
  Scene scene;
  std::thread flood([&] {
    ByteVector bytes;
    for (int i = 0; i < 1'000; ++i) Append(&bytes, DescriptorsFrame(1));
    for (;;) {
      const ssize_t sent = SendRaw(scene.victim.peer.get(), bytes.data(), bytes.size());
      if (sent < 0 && sent != -EAGAIN) return;
      if (sent > 0) std::rotate(bytes.begin(), bytes.begin() + sent, bytes.end());
    }
  });
  scene.CheckRefused();
  flood.join();
}

// --- descriptors ---

TEST(descriptors_that_no_header_announces_end_the_pipe) {
  const ScopedFd null = DevNull();
  const ByteVector frame = PlainFrame("hello");
  for (size_t count : {1, 2, 253}) {
    Scene scene;
    scene.Send(frame, std::vector<int>(count, null.get()));
    scene.CheckRefused();
  }
  for (size_t at : {size_t{1}, size_t{31}, sizeof(FrameHeader), frame.size() - 1}) {
    Scene scene;
    scene.Send(ByteVector(frame.begin(), frame.begin() + static_cast<ssize_t>(at)));
    scene.Send(ByteVector(frame.begin() + static_cast<ssize_t>(at), frame.end()), {null.get()});
    scene.CheckRefused();
  }
}

TEST(descriptors_in_the_middle_of_a_large_body_end_the_pipe) {
  const ScopedFd null = DevNull();
  const ByteVector frame = PlainFrame(Pattern(50'000, 3));
  for (size_t at : {100, 4'096, 20'000, 49'999}) {
    Scene scene;
    scene.Send(ByteVector(frame.begin(), frame.begin() + at));
    OwnedMessage message;
    CHECK_EQ(Read(scene.victim.end, &message), Result::kShouldWait);
    scene.Send(ByteVector(frame.begin() + at, frame.end()), {null.get()});
    scene.CheckRefused();
  }
}

TEST(a_count_of_descriptors_that_is_not_true_ends_the_pipe) {
  const ScopedFd null = DevNull();
  for (int announced : {0, 1, 2, 3, 252, 253}) {
    for (int sent : {0, 1, 2, 3, 252, 253}) {
      if (announced == sent) continue;
      Scene scene;
      FrameHeader header = MakeHeader(0, 0);
      header.descriptors = static_cast<uint16_t>(announced);
      scene.Send(FrameOf(header), std::vector<int>(static_cast<size_t>(sent), null.get()));
      scene.CheckRefused();
    }
  }
}

TEST(descriptors_that_nothing_takes_end_the_pipe) {
  const ScopedFd null = DevNull();
  for (bool in_advance : {false, true}) {
    Scene scene;
    if (in_advance) scene.Send(DescriptorsFrame(1), {null.get()});
    FrameHeader header = MakeHeader(0, 2);
    header.descriptors = 1;
    scene.Send(FrameOf(header, "hi"), {null.get()});
    scene.CheckRefused();
  }
}

TEST(descriptors_for_a_message_that_never_comes_are_closed) {
  const ScopedFd null = DevNull();
  Scene scene;
  const size_t before = OpenDescriptors().size();
  for (int i = 0; i < 20; ++i) {
    scene.Send(DescriptorsFrame(100), std::vector<int>(100, null.get()));
  }
  OwnedMessage message;
  CHECK_EQ(Read(scene.victim.end, &message), Result::kShouldWait);
  CHECK_EQ(OpenDescriptors().size(), before + 2'000);
  scene.victim.peer = ScopedFd();
  CHECK_EQ(AwaitRead(scene.victim.end, &message), Result::kFailedPrecondition);
  CHECK_EQ(OpenDescriptors().size(), before - 2);
  scene.CheckBystander();
}

// --- memory ---

// A message whose payload is said to be in that memory.
void SendInMemory(Scene& scene, int fd, uint64_t nbytes) {
  FrameHeader header = MakeHeader(0, nbytes);
  header.flags = kPayloadInMemory;
  header.descriptors = 1;
  scene.Send(FrameOf(header), {fd});
}
void SendMetaInMemory(Scene& scene, int fd, uint64_t nbytes) {
  FrameHeader header = MakeHeader(nbytes, 0);
  header.flags = kMetaInMemory;
  header.descriptors = 1;
  scene.Send(FrameOf(header), {fd});
}

TEST(a_payload_is_only_taken_from_sealed_memory) {
  for (const auto& [what, fd] : OddDescriptors()) {
    for (uint64_t nbytes : {uint64_t{1}, uint64_t{70'000}}) {
      Scene scene;
      SendInMemory(scene, fd.get(), nbytes);
      scene.CheckRefused();
    }
  }
  Scene scene;
  SendInMemory(scene, ReadOnly(MakeMemory(1 << 20)).get(), 70'000);
  scene.CheckRefused();
}

TEST(a_payload_must_fit_into_its_memory) {
  const size_t page = PageSize();
  for (uint64_t more : {uint64_t{1}, uint64_t{page}, uint64_t{100'000'000}}) {
    Scene scene;
    SendInMemory(scene, MakeMemory(17 * page).get(), 16 * page + more);
    scene.CheckRefused();
  }
  Scene scene;
  SendInMemory(scene, MakeMemory(17 * page).get(), 16 * page);
  OwnedMessage message;
  CHECK_OK(AwaitRead(scene.victim.end, &message));
  CHECK_EQ(TextOf(*message), std::string(16 * page, '\0'));
  scene.CheckAlive();
}

TEST(memory_that_is_larger_than_its_payload_is_not_touched) {
  // It has no pages yet: whoever touches them makes them, and pays for them.
  constexpr size_t kLarge = size_t{512} << 20;
  Scene scene;
  const size_t before = StatusBytes("RssShmem");
  SendInMemory(scene, MakeMemory(kLarge).get(), 70'000);
  OwnedMessage message;
  AwaitRead(scene.victim.end, &message);  // either is fine: it is a message, or it is refused
  CHECK(StatusBytes("RssShmem") < before + kLarge / 8);
  TakeBadPeers();
  scene.CheckBystander();
}

TEST(meta_is_only_taken_from_sealed_memory) {
  // Nothing else is read: a file may be on a file system that makes its readers wait.
  for (const auto& [what, fd] : OddDescriptors()) {
    if (what == "memory that cannot be written") continue;  // it is as good for reading
    Scene scene;
    SendMetaInMemory(scene, fd.get(), 4);
    scene.CheckRefused();
  }
}

TEST(meta_must_fit_into_its_memory) {
  for (uint64_t nbytes : {uint64_t{65}, uint64_t{1} << 40, UINT64_MAX}) {
    Scene scene;
    SendMetaInMemory(scene, MakeMemory(64).get(), nbytes);
    scene.CheckRefused();
  }
}

TEST(meta_without_contents_costs_nothing) {
  // As large as anybody says, but nothing was ever written there.
  constexpr size_t kLarge = size_t{512} << 20;
  Scene scene;
  const size_t before = StatusBytes("VmHWM");
  SendMetaInMemory(scene, MakeMemory(kLarge).get(), kLarge);
  scene.CheckRefused();
  CHECK(StatusBytes("VmHWM") < before + kLarge / 4);
}

}  // namespace mojo_seq::testing::hostile_peer_test
