// Segments: memory for large payloads that goes round. What comes from others is checked before it is
// touched, and what was lent comes back before it is lent again.

#include "segment.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <set>

#include "check.h"
#include "children.h"
#include "descriptors.h"
#include "frames.h"
#include "odd_descriptors.h"
#include "random.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::segment_test {

constexpr size_t kBytes = 100'000;
constexpr uint64_t kPipe = 7;  // that messages come on

// What a message with this payload would say of it.
Segment* SegmentOf(const Ref<Payload>& payload) {
  Message message;
  message.payload = payload;
  return Segment::Of(message);
}

// --- its own ---

TEST(a_new_segment_is_as_large_as_asked_and_may_be_zeroed) {
  for (size_t nbytes : {size_t{1}, size_t{4'096}, Segment::kThreshold, size_t{10'000'001}}) {
    const Ref<Payload> payload = Segment::Allocate(nbytes, true);
    CHECK(payload);
    CHECK_EQ(payload->capacity(), nbytes);
    for (size_t i = 0; i < nbytes; i += 997) CHECK_EQ(payload->data()[i], 0);
    payload->data()[nbytes - 1] = 7;
    CHECK(SegmentOf(payload) != nullptr);
  }
}

TEST(old_memory_that_is_used_again_is_zeroed_if_that_is_asked_for) {
  {
    const Ref<Payload> payload = Segment::Allocate(kBytes, false);
    memset(payload->data(), 'x', kBytes);
  }
  const Ref<Payload> payload = Segment::Allocate(kBytes, true);
  for (size_t i = 0; i < kBytes; ++i) CHECK_EQ(payload->data()[i], 0);
}

TEST(memory_is_used_again) {
  const uint8_t* first = nullptr;
  for (int i = 0; i < 10; ++i) {
    const Ref<Payload> payload = Segment::Allocate(kBytes, false);
    if (!first) first = payload->data();
    CHECK(payload->data() == first);
  }
}

TEST(memory_that_is_far_too_large_is_not_used) {
  { Segment::Allocate(20'000'000, false); }
  const size_t before = OpenDescriptors().size();
  const Ref<Payload> payload = Segment::Allocate(kBytes, false);
  CHECK_EQ(OpenDescriptors().size(), before + 1);
}

TEST(an_ordinary_payload_is_no_segment) {
  CHECK(SegmentOf(Payload::Allocate(kBytes)) == nullptr);
  CHECK(SegmentOf(nullptr) == nullptr);
}

TEST(what_is_kept_is_limited_and_can_be_given_up) {
  const size_t before = OpenDescriptors().size();
  {
    std::vector<Ref<Payload>> payloads;
    for (int i = 0; i < 300; ++i) payloads.push_back(Segment::Allocate(kBytes, false));
  }
  CHECK(OpenDescriptors().size() <= before + 140);
  Segment::Trim();
  CHECK_EQ(OpenDescriptors().size(), before);
}

TEST(its_memory_can_neither_shrink_nor_grow) {
  const Ref<Payload> payload = Segment::Allocate(kBytes, false);
  const Ref<SharedFd> lent = SegmentOf(payload)->Lend();
  CHECK_EQ(fcntl(lent->fd.get(), F_GET_SEALS) & kSealedSize, kSealedSize);
}

// --- lent and received ---

// As a message takes it to the other side.
Ref<Payload> Pass(const Ref<Payload>& payload, size_t nbytes) {
  Ref<Payload> received;
  CHECK(Segment::Receive(Duplicate(SegmentOf(payload)->Lend()->fd.get()), nbytes, kPipe, &received));
  return received;
}

TEST(both_sides_see_the_same_bytes) {
  const Ref<Payload> payload = Segment::Allocate(kBytes, false);
  memcpy(payload->data(), "hello", 5);
  const Ref<Payload> received = Pass(payload, kBytes);
  CHECK_EQ(received->capacity(), kBytes);
  CHECK(received->data() != payload->data());
  CHECK_EQ(memcmp(received->data(), "hello", 5), 0);
}

TEST(what_the_receiver_still_holds_is_not_used_again) {
  Ref<Payload> payload = Segment::Allocate(kBytes, false);
  const uint8_t* const memory = payload->data();
  memset(payload->data(), 'x', kBytes);
  Ref<Payload> received = Pass(payload, kBytes);
  payload = nullptr;
  Ref<Payload> other = Segment::Allocate(kBytes, true);
  CHECK(other->data() != memory);
  CHECK_EQ(received->data()[kBytes - 1], 'x');
  received = nullptr;
  const Ref<Payload> again = Segment::Allocate(kBytes, false);
  CHECK(again->data() == memory);
}

TEST(what_several_receivers_hold_is_free_after_the_last) {
  Ref<Payload> payload = Segment::Allocate(kBytes, false);
  const uint8_t* const memory = payload->data();
  std::vector<Ref<Payload>> received;
  for (int i = 0; i < 5; ++i) received.push_back(Pass(payload, kBytes));
  payload = nullptr;
  while (!received.empty()) {
    CHECK(Segment::Allocate(kBytes, false)->data() != memory);
    received.pop_back();
  }
  std::set<const uint8_t*> reused;
  const Ref<Payload> one = Segment::Allocate(kBytes, false);
  const Ref<Payload> two = Segment::Allocate(kBytes, false);
  CHECK(one->data() == memory || two->data() == memory);
}

TEST(a_receiver_knows_memory_that_comes_again) {
  Ref<Payload> payload = Segment::Allocate(kBytes, false);
  Ref<Payload> received = Pass(payload, kBytes);
  const uint8_t* const mapped = received->data();
  for (int i = 0; i < 5; ++i) {
    received = nullptr;
    payload = nullptr;
    payload = Segment::Allocate(kBytes, false);
    received = Pass(payload, kBytes);
    CHECK(received->data() == mapped);
  }
}

TEST(memory_of_a_message_that_never_arrived_is_given_up) {
  // The receiver died: its hold stays for ever, and the pool must not fill up with such memory.
  const size_t before = OpenDescriptors().size();
  for (int i = 0; i < 400; ++i) {
    const Ref<Payload> payload = Segment::Allocate(kBytes, false);
    SegmentOf(payload)->Lend();
  }
  CHECK(OpenDescriptors().size() <= before + 140);
}

TEST(payloads_go_round_between_two_processes) {
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    OwnedMessage message;
    while (AwaitRead(end, &message) == Result::kOk) CHECK_OK(WriteMessage(end, message));
  });
  const PipeEnd end = child.TakePipe();
  Random random(1);
  for (uint64_t i = 0; i < 300; ++i) {
    const std::string text = Pattern(Segment::kThreshold + random.Below(200'000), i);
    CHECK_OK(Write(end, text));
    CHECK(AwaitText(end) == text);
  }
  CHECK(OpenDescriptors().size() < 160);
  CHECK_OK(end.Close());
  CHECK_EQ(child.Wait(), 0);
}

TEST(many_threads_use_the_pools_at_once) {
  RunTogether(4, [&](size_t thread) {
    Random random(thread);
    std::vector<std::pair<Ref<Payload>, uint8_t>> held;
    for (int i = 0; i < 500; ++i) {
      const size_t nbytes = Segment::kThreshold + random.Below(60'000);
      const auto mark = static_cast<uint8_t>(random.Next());
      Ref<Payload> payload = Segment::Allocate(nbytes, false);
      payload->data()[0] = mark;
      payload->data()[nbytes - 1] = mark;
      held.emplace_back(Pass(payload, nbytes), mark);
      if (random.OneIn(3)) held.emplace_back(std::move(payload), mark);
      if (held.size() > 10 || random.OneIn(50)) {
        for (const auto& [each, expected] : held) {
          CHECK_EQ(each->data()[0], expected);
          CHECK_EQ(each->data()[each->capacity() - 1], expected);
        }
        held.clear();
      }
      if (random.OneIn(100)) Segment::Trim();
    }
  });
}

// --- what is no segment ---

TEST(only_sealed_memory_of_the_right_size_is_taken) {
  Ref<Payload> payload;
  for (auto& [what, fd] : OddDescriptors()) {
    if (Segment::Receive(std::move(fd), 1, kPipe, &payload)) Fail(__FILE__, __LINE__, what);
  }
  CHECK(!Segment::Receive(ReadOnly(MakeMemory(1 << 20)), 1, kPipe, &payload));
  const size_t page = PageSize();
  CHECK(!Segment::Receive(MakeMemory(page - 1), 0, kPipe, &payload));
  CHECK(!Segment::Receive(MakeMemory(page), 1, kPipe, &payload));
  CHECK(!Segment::Receive(MakeMemory(2 * page), page + 1, kPipe, &payload));
  CHECK(!Segment::Receive(MakeMemory(2 * page), SIZE_MAX, kPipe, &payload));
  CHECK(!Segment::Receive(MakeMemory(2 * page), SIZE_MAX - page + 1, kPipe, &payload));
  CHECK(!payload);
  CHECK(Segment::Receive(MakeMemory(2 * page), page, kPipe, &payload));
  CHECK_EQ(payload->capacity(), page);
}

TEST(what_others_write_into_the_count_harms_nobody) {
  for (uint32_t count : {0u, 1u, 2u, UINT32_MAX}) {
    Ref<Payload> payload = Segment::Allocate(kBytes, false);
    const Ref<SharedFd> lent = SegmentOf(payload)->Lend();
    CHECK_EQ(pwrite(lent->fd.get(), &count, sizeof count, 0), static_cast<ssize_t>(sizeof count));
    payload->data()[0] = 1;
    Ref<Payload> received;
    CHECK(Segment::Receive(Duplicate(lent->fd.get()), kBytes, kPipe, &received));
    payload = nullptr;
    received = nullptr;
    const Ref<Payload> next = Segment::Allocate(kBytes, true);
    CHECK_EQ(next->data()[0], 0);
  }
}

TEST(one_memory_in_two_messages_at_once) {
  const ScopedFd memory = MakeMemory(40 * PageSize());
  Ref<Payload> first, second;
  CHECK(Segment::Receive(Duplicate(memory.get()), 30 * PageSize(), kPipe, &first));
  CHECK(Segment::Receive(Duplicate(memory.get()), 39 * PageSize(), kPipe, &second));
  first->data()[0] = 42;
  CHECK_EQ(second->data()[0], 42);
  first = nullptr;
  CHECK_EQ(second->data()[0], 42);
  second->data()[39 * PageSize() - 1] = 1;
}

TEST(memory_that_has_grown_is_mapped_anew) {
  const ScopedFd memory = MakeMemory(20 * PageSize(), F_SEAL_SHRINK);
  Ref<Payload> payload;
  CHECK(Segment::Receive(Duplicate(memory.get()), 19 * PageSize(), kPipe, &payload));
  payload = nullptr;
  CHECK_EQ(ftruncate(memory.get(), static_cast<off_t>(60 * PageSize())), 0);
  CHECK(Segment::Receive(Duplicate(memory.get()), 59 * PageSize(), kPipe, &payload));
  payload->data()[59 * PageSize() - 1] = 1;
  CHECK(Segment::Receive(Duplicate(memory.get()), 19 * PageSize(), kPipe, &payload));
}

}  // namespace mojo_seq::testing::segment_test
