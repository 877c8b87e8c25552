// A thread that waits on a set while others write, close, send, signal, add and remove. Nothing may
// be missed: a lost wake-up is a hang.

#include <map>

#include "check.h"
#include "message_pipes.h"
#include "random.h"
#include "threads.h"
#include "wait_sets.h"

namespace mojo_seq::testing::wait_set_stress_test {

TEST(every_message_and_every_closing_is_noticed) {
  constexpr size_t kPipes = 30, kThreads = 3, kMessages = 1'500;
  for (uint64_t round = 0; round < 3; ++round) {
    std::vector<Pipe> pipes(kPipes);
    TestWaitSet set;
    std::map<HandleValue, const PipeEnd*> ends;
    for (const Pipe& each : pipes) {
      CHECK_OK(set.Add(each.b, kSignalReadable));
      ends[each.b.value()] = &each.b;
    }
    std::atomic<size_t> written{0};
    size_t read = 0, ended = 0;
    RunTogether(kThreads + 1, [&](size_t thread) {
      if (thread < kThreads) {
        Random random(10 * round + thread);
        // Each thread has pipes of its own, and closes either end of each when it has done.
        for (size_t i = 0; i < kMessages; ++i) {
          const size_t which = random.Below(kPipes / kThreads) * kThreads + thread;
          CHECK_OK(Write(pipes[which].a, "x"));
          ++written;
        }
        for (size_t i = thread; i < kPipes; i += kThreads) CHECK_OK(pipes[i].a.Close());
        return;
      }
      while (ended < kPipes) {
        const auto outcome = set.Wait(4, kNever);
        CHECK_OK(outcome.result);
        CHECK(!outcome.ready.empty());
        for (const ReadyHandle& each : outcome.ready) {
          const PipeEnd& end = *ends.at(each.value);
          if (each.result == Result::kFailedPrecondition) {
            CHECK_OK(set.Remove(end));
            ++ended;
            continue;
          }
          CHECK_OK(each.result);
          OwnedMessage message;
          CHECK_OK(Read(end, &message));
          ++read;
        }
      }
    });
    CHECK_EQ(read, written.load());
    CHECK(set.IsEmpty());
  }
}

TEST(no_signal_is_missed_between_two_sets) {
  auto ping = MakeRef<WaitableEvent>(false, false), pong = MakeRef<WaitableEvent>(false, false);
  constexpr int kTurns = 20'000;
  RunTogether(2, [&](size_t thread) {
    TestWaitSet set;
    CHECK_OK(set.Add(thread == 0 ? ping : pong));
    if (thread == 1) Signal(ping);
    for (int i = 0; i < kTurns; ++i) {
      const auto outcome = set.Wait(1, kNever);
      CHECK_OK(outcome.result);
      CHECK(outcome.event);
      Signal(thread == 0 ? pong : ping);
    }
  });
}

TEST(members_come_and_go_while_a_thread_waits) {
  constexpr size_t kRounds = 1'500;
  TestWaitSet set;
  auto stop = MakeRef<WaitableEvent>(true, false);
  CHECK_OK(set.Add(stop));
  std::atomic<size_t> cancelled{0}, added{0}, removed{0};
  RunTogether(4, [&](size_t thread) {
    if (thread == 0) {
      for (;;) {
        const auto outcome = set.Wait(3, kNever);
        CHECK_OK(outcome.result);
        for (const ReadyHandle& each : outcome.ready) {
          cancelled += each.result == Result::kCancelled;
        }
        if (outcome.event && outcome.ready.empty()) return;
      }
    }
    Random random(thread);
    for (size_t i = 0; i < kRounds; ++i) {
      Pipe pipe, carrier;
      auto event = MakeRef<WaitableEvent>(false, random.OneIn(2));
      CHECK_OK(set.Add(pipe.b, kSignalReadable));
      ++added;
      CHECK_OK(set.Add(event));
      if (random.OneIn(2)) CHECK_OK(Write(pipe.a, "x"));
      Signal(event);
      if (random.OneIn(3)) CHECK_OK(Write(carrier.a, "", {pipe.b}));
      if (random.OneIn(2)) removed += set.Remove(pipe.b) == Result::kOk;
      CHECK_OK(set.Remove(event));
    }
    if (thread == 1) Signal(stop);
  });
  // What the waiting thread had no time for is still there, once each.
  for (;;) {
    const auto outcome = set.Wait(16, 0);
    for (const ReadyHandle& each : outcome.ready) {
      CHECK_EQ(each.result, Result::kCancelled);
      ++cancelled;
    }
    if (outcome.ready.empty()) break;
  }
  CHECK_EQ(cancelled + removed, added.load());
}

}  // namespace mojo_seq::testing::wait_set_stress_test
