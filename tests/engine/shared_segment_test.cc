// Shared segments: memory that several processes see, how it travels, and when it is used again.

#include "shared_segment.h"

#include "check.h"
#include "children.h"
#include "descriptors.h"
#include "memory_budget.h"
#include "odd_descriptors.h"
#include "random.h"
#include "segment_pool.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::shared_segment_test {

using SegmentEnd = Handle<SharedSegment>;

constexpr size_t kBytes = 100'000;

Ref<Segment> Make(size_t nbytes = kBytes, bool zeroed = false) {
  Ref<Segment> segment = Segment::Make(nbytes, zeroed, true);
  CHECK(segment);
  return segment;
}

void Send(const PipeEnd& end, const Ref<Segment>& segment) {
  const SegmentEnd handle(MakeRef<SharedSegment>(segment));
  CHECK_OK(Write(end, "here", {handle}));
}

Ref<Segment> Take(const PipeEnd& end) {
  const SegmentEnd handle = AwaitHandle<SharedSegment>(end);
  CHECK(handle->type() == HandleType::kSharedSegment);
  return handle->segment(handle.value());
}

// In a child, until it is killed.
[[noreturn]] void StayAlive() {
  for (;;) pause();
}

// --- in one process ---

TEST(a_handle_gives_its_segment_until_it_is_closed) {
  const Ref<Segment> segment = Make();
  const SegmentEnd handle(MakeRef<SharedSegment>(segment));
  CHECK(handle->segment(handle.value()).get() == segment.get());
  CHECK(!handle->IsWatchable());
  CHECK_OK(handle.Close());
  CHECK(!handle->segment(handle.value()));
}

TEST(in_one_process_it_is_the_same_segment) {
  Pipe pipe;
  const Ref<Segment> segment = Make();
  Send(pipe.a, segment);
  CHECK(Take(pipe.b).get() == segment.get());
}

TEST(what_comes_back_to_its_process_is_the_same_segment) {
  RemotePipe pipe;
  const Ref<Segment> segment = Make();
  for (int i = 0; i < 3; ++i) {
    Send(pipe.a, segment);
    CHECK(Take(pipe.b).get() == segment.get());
    CHECK_EQ(segment->memory().holders().load(), 0u);
  }
}

TEST(what_comes_back_after_its_last_view_here_is_known_again) {
  RemotePipe pipe;
  Ref<Segment> segment = Make();
  const uint8_t* const data = segment->data();
  segment->data()[5] = 5;
  Send(pipe.a, segment);
  segment = nullptr;
  CHECK(Make()->data() != data);  // it is on its way
  segment = Take(pipe.b);
  CHECK(segment->data() == data);
  CHECK_EQ(segment->data()[5], 5);
  segment = nullptr;
  CHECK(Make()->data() == data);
}

TEST(a_message_that_is_never_read_gives_up_its_hold) {
  const Ref<Segment> segment = Make();
  {
    Pipe pipe;
    Send(pipe.a, segment);
    CHECK(!segment->HasOneRef());
  }
  CHECK(segment->HasOneRef());
}

TEST(segments_are_found_by_any_address_in_them) {
  const Ref<Segment> segment = Make();
  uint8_t* const data = segment->data();
  const size_t size = segment->capacity();
  CHECK(Segment::Find(data, size).get() == segment.get());
  CHECK(Segment::Find(data + size - 1, 1).get() == segment.get());
  CHECK(!Segment::Find(data, size + 1));
  CHECK(!Segment::Find(data - 1, 1));
  CHECK(!Segment::Find(data + size, 1));
  CHECK(!Segment::Find(data + 1, SIZE_MAX));
  CHECK(!Segment::Find(&size, sizeof size));
}

TEST(a_segment_that_is_gone_is_not_found) {
  const uint8_t* const data = Make()->data();
  CHECK(!Segment::Find(data, 1));
}

TEST(shared_ones_are_counted) {
  const size_t before = Segment::SharedCount();
  {
    const Ref<Segment> segment = Make();
    const Ref<Segment> own = Segment::Make(kBytes, false, false);
    CHECK_EQ(Segment::SharedCount(), before + 1);
  }
  CHECK_EQ(Segment::SharedCount(), before);
}

// --- what memory is used again for ---

TEST(memory_of_a_shared_one_is_used_for_shared_ones_only) {
  const uint8_t* const data = Make()->data();
  const Ref<Payload> own = Segment::Allocate(kBytes, false);
  CHECK(own->data() != data);
  CHECK(Make()->data() == data);
}

TEST(memory_that_one_receiver_knows_is_shared_with_nobody_else) {
  RemotePipe pipe;
  const uint8_t* data;
  {
    const Ref<Segment> own = Segment::Make(kBytes, false, false);
    data = own->data();
    Send(pipe.a, own);
    Take(pipe.b);
  }
  CHECK(Make()->data() != data);
}

TEST(memory_that_was_sent_on_is_not_used_for_messages) {
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    Pipe inner;
    const Ref<Segment> segment = Take(end);
    segment->Lend();  // to somebody else
    CHECK_OK(Write(end, "done"));
    StayAlive();
  });
  const PipeEnd end = child.TakePipe();
  const Ref<Segment> own = Segment::Make(kBytes, false, false, end->PipeNumber());
  CHECK(!own->memory().was_forwarded());
  Send(end, own);
  CHECK(AwaitText(end) == "done");
  CHECK(own->memory().was_forwarded());
}

TEST(memory_that_came_back_is_used_for_messages_again) {
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    Send(end, Take(end));
    StayAlive();
  });
  const PipeEnd end = child.TakePipe();
  const uint64_t number = end->PipeNumber();
  Ref<Segment> own = Segment::Make(kBytes, false, false, number);
  const uint8_t* const data = own->data();
  Send(end, own);
  own = nullptr;
  own = Take(end);
  CHECK(own->data() == data && !own->memory().was_forwarded());
  Until([&] { return own->memory().holders().load() == 0; });
  own = nullptr;
  CHECK(Segment::Allocate(kBytes, false, number)->data() == data);
}

TEST(used_memory_is_zeroed_if_that_is_asked_for) {
  memset(Make()->data(), 'x', kBytes);
  const Ref<Segment> segment = Make(kBytes, true);
  for (size_t i = 0; i < kBytes; ++i) CHECK_EQ(segment->data()[i], 0);
}

// --- between processes ---

TEST(two_processes_write_to_the_same_memory) {
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    const Ref<Segment> segment = Take(end);
    CHECK(segment->is_shared());
    CHECK_EQ(segment->data()[1], 1);
    segment->data()[2] = 2;
    CHECK_OK(Write(end, "done"));
    StayAlive();
  });
  const PipeEnd end = child.TakePipe();
  const Ref<Segment> segment = Make();
  segment->data()[1] = 1;
  Send(end, segment);
  CHECK(AwaitText(end) == "done");
  CHECK_EQ(segment->data()[2], 2);
  CHECK_EQ(segment->memory().holders().load(), 1u);
}

TEST(each_process_holds_it_once_however_often_it_comes) {
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    std::vector<Ref<Segment>> segments;
    for (int i = 0; i < 5; ++i) segments.push_back(Take(end));
    for (const auto& each : segments) CHECK(each.get() == segments[0].get());
    CHECK_OK(Write(end, "all"));
    CHECK(AwaitText(end) == "go");
    segments.clear();
    CHECK_OK(Write(end, "none"));
    StayAlive();
  });
  const PipeEnd end = child.TakePipe();
  const Ref<Segment> segment = Make();
  for (int i = 0; i < 5; ++i) Send(end, segment);
  CHECK(AwaitText(end) == "all");
  CHECK_EQ(segment->memory().holders().load(), 1u);
  CHECK_OK(Write(end, "go"));
  CHECK(AwaitText(end) == "none");
  CHECK_EQ(segment->memory().holders().load(), 0u);
}

TEST(a_frozen_one_stays_so) {
  RemotePipe pipe;
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    CHECK(Take(end)->is_frozen());
    CHECK_OK(Write(end, "yes"));
  });
  const PipeEnd end = child.TakePipe();
  const Ref<Segment> segment = Segment::Make(kBytes, false, false);
  segment->Freeze();
  Send(end, segment);
  CHECK(AwaitText(end) == "yes");
}

TEST(memory_that_somebody_died_with_is_given_up) {
  const size_t before = OpenDescriptors().size();
  for (int killed = 0; killed < 2; ++killed) {
    Child child([](ScopedFd socket) {
      const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
      std::vector<Ref<Segment>> held;
      for (int i = 0; i < 3; ++i) held.push_back(Take(end));
      CHECK_OK(Write(end, "held"));
      StayAlive();
    });
    {
      const PipeEnd end = child.TakePipe();
      const Ref<Segment> kept = Make();
      Send(end, kept);
      for (int i = 0; i < 3; ++i) Send(end, Make());  // one is never read
      CHECK(AwaitText(end) == "held");
      CHECK_EQ(SegmentPool::Get().usage().loans, 3u);
      child.Kill();
      CHECK_EQ(child.Wait(), -SIGKILL);
      OwnedMessage message;
      CHECK_EQ(AwaitRead(end, &message), Result::kFailedPrecondition);
      Until([] { return SegmentPool::Get().usage().loans == 0; });
    }
    // Also what was still in use here when the other died.
    CHECK_EQ(SegmentPool::Get().usage().loans, 0u);
  }
  CHECK(OpenDescriptors().size() <= before + 3);
}

TEST(what_a_forked_child_may_look_at_is_not_used_again) {
  Ref<Segment> segment = Make();
  const uint8_t* const data = segment->data();
  segment->data()[0] = 1;
  SegmentPool::BeforeFork();
  Child child([&](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    CHECK(!Segment::Find(data, 1));  // it is not this process's
    CHECK(AwaitText(end) == "look");
    CHECK_EQ(data[0], 1);
    segment = nullptr;
    CHECK_EQ(SegmentPool::Get().usage().spares, 0u);
  });
  const PipeEnd end = child.TakePipe();
  segment = nullptr;
  std::vector<Ref<Segment>> others;
  for (int i = 0; i < 5; ++i) {
    others.push_back(Make());
    memset(others.back()->data(), 'x', kBytes);
  }
  CHECK_OK(Write(end, "look"));
  CHECK_EQ(child.Wait(), 0);
}

TEST(what_is_no_segment_is_refused) {
  for (auto& [what, fd] : OddDescriptors()) {
    if (Segment::Receive(std::move(fd), true, 1)) Fail(__FILE__, __LINE__, what);
  }
  CHECK(!Segment::Receive(ReadOnly(MakeMemory(1 << 20)), true, 1));
  CHECK(!Segment::Receive(MakeMemory(PageSize() - 1), true, 1));
  CHECK(Segment::Receive(MakeMemory(2 * PageSize()), true, 1));
}

TEST(many_threads_pass_segments_around) {
  RemotePipe pipe;
  RunTogether(4, [&](size_t thread) {
    Random random(thread);
    std::vector<Ref<Segment>> held;
    for (int i = 0; i < 300; ++i) {
      if (held.empty() || random.OneIn(3)) {
        held.push_back(Make(Segment::kThreshold + random.Below(60'000)));
      }
      const Ref<Segment> chosen = held[random.Below(held.size())];
      CHECK(Segment::Find(chosen->data() + 10, 10).get() == chosen.get());
      Send(pipe.a, chosen);
      Take(pipe.b);  // of any thread
      if (held.size() > 8) held.erase(held.begin());
      if (random.OneIn(50)) SegmentPool::Get().OnPipeGone(1);
      if (random.OneIn(50)) Segment::Trim();
    }
  });
}

// --- the budget ---

TEST(beyond_the_budget_there_is_nothing) {
  CHECK(MemoryLimit() > 0 && MemoryBudget() < MemoryLimit());
  SetMemoryBudget(1'000'000);
  {
    const Ref<Segment> first = Make(600'000);
    CHECK(!Segment::Make(600'000, false, true));
    CHECK(!Segment::Allocate(600'000, false));
    CHECK(Make(300'000));
    CHECK(!Segment::Make(SIZE_MAX, false, true));
    CHECK_EQ(SegmentPool::Get().usage().segments, 1u);
  }
  CHECK(Make(900'000));  // what was kept makes room
  SetMemoryBudget(0);
  CHECK_EQ(MemoryBudget(), MemoryLimit() / 5 * 4);
}

TEST(what_is_lent_counts_as_long_as_others_have_it) {
  RemotePipe pipe;
  SetMemoryBudget(1'000'000);
  Ref<Segment> segment = Make(600'000);
  const Ref<SharedFd> lent = segment->Lend();
  segment = nullptr;
  CHECK_EQ(SegmentPool::Get().usage().loans, 1u);
  CHECK(!Segment::Make(600'000, false, true));
  SetMemoryBudget(0);
}

}  // namespace mojo_seq::testing::shared_segment_test
