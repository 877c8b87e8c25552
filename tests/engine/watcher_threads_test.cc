// Watchers across threads. System rules §9.5.

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "threads.h"
#include "watchers.h"

namespace mojo_seq::testing::watcher_threads_test {

TEST(cancelling_waits_for_the_handler_that_runs_elsewhere) {
  Pipe pipe;
  std::atomic<bool> entered{false}, release{false}, left{false};
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result == Result::kCancelled) {
      CHECK(left);
      return;
    }
    entered = true;
    while (!release) sched_yield();
    left = true;
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  std::thread writer([&] { CHECK_OK(Write(pipe.a, "x")); });
  while (!entered) sched_yield();
  Blocker canceller([&] { CHECK_OK(watcher.Cancel(1)); });
  canceller.WaitUntilAsleep();
  CHECK(!canceller.done());
  release = true;
  canceller.Join();
  writer.join();
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
}

TEST(different_contexts_may_run_at_the_same_time) {
  Pipe first, second;
  std::atomic<int> inside{0};
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    if (notified.context == 1) {
      CHECK_OK(watcher.Cancel(1));  // out of the way of arming
      CHECK_OK(watcher.Arm());
    }
    ++inside;
    while (inside < 2) sched_yield();  // until the other one is inside too
  });
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  std::thread one([&] { CHECK_OK(Write(first.a, "x")); });
  while (inside == 0) sched_yield();
  CHECK_OK(Write(second.a, "x"));
  one.join();
}

TEST(one_context_never_runs_twice_at_the_same_time) {
  Pipe pipe;
  std::atomic<int> inside{0}, calls{0};
  TestWatcher watcher([&](const Notified& notified) {
    CHECK_EQ(++inside, 1);
    ++calls;
    if (notified.result == Result::kOk) {
      OwnedMessage message;
      while (Read(pipe.b, &message) == Result::kOk) {
      }
      watcher.Arm();
    }
    --inside;
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  RunTogether(3, [&](size_t) {
    for (int i = 0; i < 2'000; ++i) {
      CHECK_OK(Write(pipe.a, "x"));
      watcher.Arm();
    }
  });
  CHECK(calls > 0);
}

TEST(handlers_may_cancel_each_others_watches) {
  for (int round = 0; round < 500; ++round) {
    Pipe first, second;
    std::optional<TestWatcher> a, b;
    std::atomic<int> inside{0};
    a.emplace([&](const Notified& notified) {
      if (notified.result != Result::kOk) return;
      ++inside;
      while (inside < 2) sched_yield();
      CHECK_OK(b->Cancel(1));
      CHECK_OK(b->Close());
    });
    b.emplace([&](const Notified& notified) {
      if (notified.result != Result::kOk) return;
      ++inside;
      while (inside < 2) sched_yield();
      CHECK_OK(a->Cancel(1));
      CHECK_OK(a->Close());
    });
    CHECK_OK(a->Watch(first.b, kSignalReadable, 1));
    CHECK_OK(b->Watch(second.b, kSignalReadable, 1));
    CHECK_OK(a->Arm());
    CHECK_OK(b->Arm());
    std::thread other([&] { CHECK_OK(Write(first.a, "x")); });
    CHECK_OK(Write(second.a, "x"));
    other.join();
    for (TestWatcher* each : {&*a, &*b}) {
      CHECK_EQ(each->recorder().count(Result::kOk), 1u);
      CHECK_EQ(each->recorder().count(Result::kCancelled), 1u);
    }
  }
}

// A watch, and two threads that do something to it at the same time; afterwards everything is
// closed. Every successful watch must have been told CANCELLED exactly once, as the last thing.
struct Scene {
  Scene() {
    watched = watcher.Watch(pipe.b, kSignalReadable, 1);
    CHECK_OK(watched);
    CHECK_OK(watcher.Arm());
  }
  void Check() {
    watcher.Close();
    const auto all = watcher.recorder().all();
    CHECK(!all.empty());
    for (size_t i = 0; i < all.size(); ++i) {
      CHECK_EQ(all[i].result == Result::kCancelled, i + 1 == all.size());
    }
  }
  Pipe pipe, carrier, other;
  TestWatcher watcher;
  Result watched;
};

void RaceOn(size_t rounds, const std::function<void(Scene&)>& one,
            const std::function<void(Scene&)>& other) {
  std::optional<Scene> scene;
  Race(
      rounds,
      [&] {
        if (scene) scene->Check();
        scene.emplace();
      },
      [&] { one(*scene); }, [&] { other(*scene); });
}

void DoWrite(Scene& scene) { Write(scene.pipe.a, "x"); }
void DoCancel(Scene& scene) { scene.watcher.Cancel(1); }
void DoCloseHandle(Scene& scene) { scene.pipe.b.Close(); }
void DoClosePeer(Scene& scene) { scene.pipe.a.Close(); }
void DoCloseWatcher(Scene& scene) { scene.watcher.Close(); }
void DoSend(Scene& scene) { Write(scene.carrier.a, "", {scene.pipe.b}); }
void DoFuse(Scene& scene) { Fuse(scene.pipe.b, scene.other.a); }
void DoArm(Scene& scene) { scene.watcher.Arm(); }
void DoRead(Scene& scene) {
  OwnedMessage message;
  Read(scene.pipe.b, &message);
}

constexpr size_t kRounds = 1'000;

TEST(notifying_races_with_cancelling) { RaceOn(3 * kRounds, DoWrite, DoCancel); }
TEST(notifying_races_with_closing_the_handle) { RaceOn(3 * kRounds, DoWrite, DoCloseHandle); }
TEST(notifying_races_with_closing_the_watcher) { RaceOn(3 * kRounds, DoWrite, DoCloseWatcher); }

TEST(every_two_operations_race) {
  void (*const operations[])(Scene&) = {DoWrite,        DoCancel, DoCloseHandle, DoClosePeer,
                                        DoCloseWatcher, DoSend,   DoFuse,        DoArm,
                                        DoRead};
  for (const auto one : operations) {
    for (const auto other : operations) RaceOn(kRounds / 5, one, other);
  }
}

TEST(watching_races_with_cancelling_and_closing) {
  // The watch may be ended by the others before it is complete.
  std::optional<Pipe> pipe;
  std::optional<TestWatcher> watcher;
  Result watched = Result::kUnknown;
  size_t round = 0;
  Race(
      40 * kRounds,
      [&] {
        if (watcher) {
          watcher->Close();
          CHECK_EQ(watcher->recorder().count(), watched == Result::kOk ? 1u : 0u);
          CHECK_EQ(LiveCount(Kind::kWatch), 0);  // also where the handle is still open
        }
        pipe.emplace();
        watcher.emplace();
        watched = Result::kUnknown;
        ++round;
      },
      [&] { watched = watcher->Watch(pipe->b, kSignalReadable, 1); },
      [&] {
        switch (round % 4) {
          case 0: pipe->b.Close(); break;
          case 1: watcher->Close(); break;
          default:  // the rarest: both between the beginning and the end of the watch
            for (int i = 0; i < 2'000 && watcher->Cancel(1) != Result::kOk; ++i) {
            }
            pipe->b.Close();
        }
      });
}

TEST(arming_races_with_an_event_without_losing_it) {
  // Either the arming fails, or the event notifies: never neither.
  std::optional<Pipe> pipe;
  std::optional<TestWatcher> watcher;
  Result armed = Result::kUnknown;
  Race(
      3 * kRounds,
      [&] {
        if (watcher) {
          const bool told = watcher->recorder().count(Result::kOk) == 1;
          CHECK_EQ(told, armed == Result::kOk);
        }
        pipe.emplace();
        watcher.emplace();
        CHECK_OK(watcher->Watch(pipe->b, kSignalReadable, 1));
      },
      [&] { armed = watcher->Arm(); }, [&] { CHECK_OK(Write(pipe->a, "x")); });
}

}  // namespace mojo_seq::testing::watcher_threads_test
