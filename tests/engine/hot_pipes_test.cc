// HotPipes: rings come and go with the use of a pipe, and there are only so many. Public contract §10.

#include "hot_pipes.h"

#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstring>

#include "channels.h"
#include "check.h"
#include "children.h"
#include "descriptors.h"
#include "io_thread.h"
#include "message_pipes.h"
#include "random.h"
#include "rings.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::hot_pipes_test {

void Exchange(const RemotePipe& pipe, int count) {
  for (int i = 0; i < count; ++i) {
    CHECK_OK(Write(pipe.a, Pattern(i % 300, i)));
    CHECK(AwaitText(pipe.b) == Pattern(i % 300, i));
  }
}

TEST(a_ring_that_is_not_used_is_given_back_and_had_again) {
  const WithRings with(RingMode::kAtOnce);
  const WithIdleTime soon(1'000'000);
  RemotePipe pipe;
  for (int round = 0; round < 5; ++round) {
    CHECK_OK(Write(pipe.a, "hot"));
    CHECK_EQ(AwaitText(pipe.b), "hot");
    Until([] { return HotPipes::count() == 0; });
    CHECK(pipe.b.State().satisfied & kSignalWritable);  // a look takes in what the writer has said
    CHECK_EQ(LiveCount(Kind::kRing), 0);
    Exchange(pipe, 3);
  }
}

TEST(a_ring_with_something_unread_is_kept) {
  const WithRings with(RingMode::kAtOnce);
  const WithIdleTime soon(1'000'000);
  RemotePipe pipe;
  // It may go at any time as long as nothing is in it.
  Until([&] {
    CHECK_OK(Write(pipe.a, "x"));
    OwnedMessage message;
    while (Read(pipe.b, &message) == Result::kOk) continue;
    for (int i = 0; i < 3; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));
    usleep(5'000);
    const bool kept = HotPipes::count() == 1;
    for (int i = 0; i < 3; ++i) CHECK_EQ(AwaitText(pipe.b), std::to_string(i));
    return kept;
  });
}

TEST(rings_come_and_go_while_messages_pass) {
  const WithRings with(RingMode::kAtOnce);
  const WithIdleTime soon(100'000);
  RemotePipe pipe;
  constexpr int kCount = 20'000;
  RunTogether(4, [&](size_t thread) {
    Random random(thread);
    const PipeEnd& end = thread % 2 ? pipe.a : pipe.b;
    for (int i = 0; i < kCount; ++i) {
      if (thread >= 2) {
        CHECK(AwaitText(end) == Pattern(i % 200, i));
      } else {
        CHECK_OK(Write(end, Pattern(i % 200, i)));
        if (random.OneIn(200)) usleep(static_cast<useconds_t>(random.Below(1'000)));
      }
    }
  });
}

TEST(a_pipe_may_end_while_its_ring_is_given_back) {
  const WithRings with(RingMode::kAtOnce);
  const WithIdleTime soon(20'000);
  Random random(0);
  for (int round = 0; round < 1'000; ++round) {
    ChannelPair pair;
    CHECK_OK(Send(pair.a.get(), "x"));  // with an offer
    usleep(static_cast<useconds_t>(random.Below(200)));
  }
}

TEST(there_are_only_so_many_and_the_others_do_without) {
  Child child([](ScopedFd) {
    const WithRings with(RingMode::kAtOnce);
    std::vector<RemotePipe> pipes(HotPipes::kMost + 10);
    for (int round = 0; round < 3; ++round) {
      for (const RemotePipe& pipe : pipes) Exchange(pipe, 2);
    }
    CHECK_EQ(HotPipes::count(), HotPipes::kMost);
    pipes.erase(pipes.begin(), pipes.begin() + 20);
    CHECK_EQ(HotPipes::count(), HotPipes::kMost - 20);
    for (const RemotePipe& pipe : pipes) Exchange(pipe, 2);
    CHECK_EQ(HotPipes::count(), HotPipes::kMost - 10);
  });
  CHECK_EQ(child.Wait(), 0);
}

// --- without descriptors or memory a pipe goes on by its socket ---

void Limit(int what, rlim_t value) {
  rlimit limit;
  CHECK_EQ(getrlimit(static_cast<__rlimit_resource>(what), &limit), 0);
  limit.rlim_cur = value;
  CHECK_EQ(setrlimit(static_cast<__rlimit_resource>(what), &limit), 0);
}

TEST(without_descriptors_no_ring_is_offered) {
  Child child([](ScopedFd) {
    const WithRings with(RingMode::kAtOnce);
    {
      // A sanitizer needs descriptors to look at a type for the first time.
      RemotePipe other;
      Exchange(other, 50);
    }
    RemotePipe pipe;
    IoThread::Get();
    Limit(RLIMIT_NOFILE, 0);
    Exchange(pipe, 50);
    CHECK_EQ(HotPipes::count(), 0u);
    Limit(RLIMIT_NOFILE, 4'096);
    Exchange(pipe, 50);
    CHECK_EQ(HotPipes::count(), 1u);
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(without_descriptors_no_ring_is_accepted) {
  Child child([](ScopedFd) {
    const WithRings with(RingMode::kAtOnce);
    RemotePipe pipe;
    IoThread::Get();
    for (int i = 0; i < 3; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));  // with an offer
    Limit(RLIMIT_NOFILE, 0);
    for (int i = 0; i < 3; ++i) CHECK_EQ(AwaitText(pipe.b), std::to_string(i));
    Exchange(pipe, 50);
    CHECK_EQ(LiveCount(Kind::kRing), 1);  // the writer's
    Limit(RLIMIT_NOFILE, 4'096);
    Exchange(pipe, 50);
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(without_memory_there_is_no_ring) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr bool kMaps = true;  // they need address space: only making memory is refused
#else
  constexpr bool kMaps = false;
#endif
  Child child([](ScopedFd) {
    signal(SIGXFSZ, SIG_IGN);
    const auto limit = kMaps ? RLIMIT_FSIZE : RLIMIT_AS;
    const WithRings with(RingMode::kAtOnce);
    RemotePipe offered, pipe;
    IoThread::Get();
    Exchange(pipe, 1);
    for (int i = 0; i < 3; ++i) CHECK_OK(Write(offered.a, std::to_string(i)));
    RemotePipe fresh;
    // What was offered can be mapped, or not.
    const int64_t expected = LiveCount(Kind::kRing) + (kMaps ? 1 : 0);
    Limit(limit, 0);
    for (int i = 0; i < 3; ++i) CHECK_EQ(AwaitText(offered.b), std::to_string(i));
    for (int i = 0; i < 10; ++i) {
      CHECK_OK(Write(fresh.a, "x"));
      CHECK_EQ(AwaitText(fresh.b), "x");
    }
    CHECK_EQ(LiveCount(Kind::kRing), expected);
    Limit(limit, RLIM_INFINITY);
    Exchange(offered, 10);
    Exchange(fresh, 10);
    CHECK(LiveCount(Kind::kRing) > expected);
  });
  CHECK_EQ(child.Wait(), 0);
}

int MappedRings() {
  FILE* const file = fopen("/proc/self/maps", "r");
  CHECK(file != nullptr);
  char line[512];
  int found = 0;
  while (fgets(line, sizeof line, file)) found += strstr(line, "mojo_seq ring") != nullptr;
  fclose(file);
  return found;
}

TEST(a_fork_leaves_the_rings_alone) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  Exchange(pipe, 10);
  for (int i = 0; i < 10; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));
  CHECK_EQ(MappedRings(), 2);  // one, by either side
  Child child([&](ScopedFd) {
    CHECK_EQ(HotPipes::count(), 0u);
    for (const auto& [fd, what] : OpenDescriptors()) CHECK(what.find("ring") == std::string::npos);
    CHECK_EQ(MappedRings(), 0);  // its memory is not kept alive
    CHECK_EQ(Write(pipe.a, "from the child"), Result::kInvalidArgument);
    OwnedMessage message;
    CHECK_EQ(Read(pipe.b, &message), Result::kInvalidArgument);
    RemotePipe own;
    Exchange(own, 10);
    CHECK_EQ(HotPipes::count(), 1u);
    pipe.a = PipeEnd();  // lets go of what it had of the parent's
    pipe.b = PipeEnd();
  });
  for (int i = 10; i < 20; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));
  CHECK_EQ(child.Wait(), 0);
  for (int i = 0; i < 20; ++i) CHECK_EQ(AwaitText(pipe.b), std::to_string(i));
  Exchange(pipe, 10);
}

}  // namespace mojo_seq::testing::hot_pipes_test
