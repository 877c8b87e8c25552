// Watchers under random operations from many threads. System rules §9.5: no crash, and for each
// successful watch one CANCELLED, after which nothing comes.

#include <map>
#include <set>

#include "check.h"
#include "message_pipes.h"
#include "random.h"
#include "slots.h"
#include "threads.h"
#include "watchers.h"

namespace mojo_seq::testing::watcher_stress_test {

constexpr size_t kWatchers = 50, kEnds = 50, kThreads = 10, kOperations = 400;
constexpr size_t kInCallbacks = 4'000;  // per thread: callbacks provoke callbacks

struct Stress {
  Stress() : watchers(kWatchers), ends(kEnds) {
    for (size_t i = 0; i < kWatchers; ++i) NewWatcher(i);
    for (size_t i = 0; i < kEnds; i += 2) NewPipe(i);
  }

  void NewWatcher(size_t index) {
    watchers.Put(index, std::make_shared<TestWatcher>([this](const Notified& notified) {
      Told(notified);
    }));
  }
  void NewPipe(size_t index) {
    Pipe pipe;
    ends.Put(index, std::make_shared<PipeEnd>(std::move(pipe.a)));
    ends.Put(index ^ 1, std::make_shared<PipeEnd>(std::move(pipe.b)));
  }

  void Told(const Notified& notified);
  void DoSomething(Random& random);

  Slots<TestWatcher> watchers;
  Slots<PipeEnd> ends;
  std::atomic<WatchContext> last_context{0};
  std::mutex mutex;
  std::set<WatchContext> watched;            // mutex
  std::map<WatchContext, int> cancellations; // mutex
};

thread_local Random* this_thread_random = nullptr;
thread_local size_t in_callbacks = 0;

void Stress::Told(const Notified& notified) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    CHECK_EQ(cancellations.count(notified.context), 0u);  // nothing comes after it
    if (notified.result == Result::kCancelled) ++cancellations[notified.context];
  }
  for (int i = 0; i < 5 && this_thread_random && in_callbacks < kInCallbacks; ++i) {
    ++in_callbacks;
    DoSomething(*this_thread_random);
  }
}

void Stress::DoSomething(Random& random) {
  const size_t watcher_index = random.Below(kWatchers), end_index = random.Below(kEnds);
  const std::shared_ptr<TestWatcher> watcher = watchers.Get(watcher_index);
  const std::shared_ptr<PipeEnd> end = ends.Get(end_index);
  switch (random.Below(16)) {
    case 0:
    case 1:
    case 2: Write(*end, "x"); break;
    case 3:
    case 4: {
      OwnedMessage message;
      Read(*end, &message);
      break;
    }
    case 5:
    case 6:
    case 7: {
      const WatchContext context = ++last_context;
      const Signals signals = static_cast<Signals>(random.Below(8));
      if (watcher->Watch(*end, signals, context) == Result::kOk) {
        std::lock_guard<std::mutex> lock(mutex);
        watched.insert(context);
      }
      break;
    }
    case 8: watcher->Cancel(1 + random.Below(last_context + 1)); break;
    case 9: watcher->Cancel(last_context - random.Below(50)); break;
    case 10:
    case 11:
    case 12: {
      std::vector<ReadyWatch> ready;
      if (watcher->Arm(8, &ready) == Result::kFailedPrecondition) CHECK(!ready.empty());
      break;
    }
    case 13:
      if (random.OneIn(4)) {
        end->Close();
        NewPipe(end_index);
      }
      break;
    case 14:
      if (random.OneIn(4)) {
        watcher->Close();
        NewWatcher(watcher_index);
      }
      break;
    case 15: {
      // Away and back, or lost with its message.
      Pipe carrier;
      if (Write(carrier.a, "", {*end}) != Result::kOk) break;
      if (random.OneIn(3)) {
        NewPipe(end_index);
      } else {
        ends.Put(end_index, std::make_shared<PipeEnd>(
                                ReadHandle<MessagePipeEndpoint>(carrier.b)));
      }
      break;
    }
  }
}

TEST(random_operations_on_shared_watchers_and_handles) {
  for (uint64_t round = 0; round < 4; ++round) {
    Stress stress;
    RunTogether(kThreads, [&](size_t thread) {
      Random random(1'000 * round + thread);
      this_thread_random = &random;
      for (size_t i = 0; i < kOperations; ++i) stress.DoSomething(random);
      this_thread_random = nullptr;
    });
    for (size_t i = 0; i < kEnds; ++i) stress.ends.Put(i, nullptr);
    for (size_t i = 0; i < kWatchers; ++i) stress.watchers.Put(i, nullptr);
    CHECK_EQ(stress.cancellations.size(), stress.watched.size());
    for (const auto& [context, count] : stress.cancellations) {
      CHECK_EQ(count, 1);
      CHECK_EQ(stress.watched.count(context), 1u);
    }
    CHECK(stress.watched.size() > 100);
  }
}

TEST(handles_are_closed_while_their_watches_notify) {
  // Threads that make pipes watched by one watcher, provoke it and close them at once.
  std::mutex mutex;
  std::map<WatchContext, Result> last;
  TestWatcher watcher([&](const Notified& notified) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      const auto it = last.find(notified.context);
      CHECK(it == last.end() || it->second != Result::kCancelled);
      last[notified.context] = notified.result;
    }
    watcher.Arm();
  });
  constexpr size_t kEach = 1'000;
  RunTogether(4, [&](size_t thread) {
    for (size_t i = 0; i < kEach; ++i) {
      Pipe pipe;
      const WatchContext context = thread * kEach + i;
      CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, context));
      watcher.Arm();
      CHECK_OK(Write(pipe.a, "x"));
      if (i % 2) watcher.Cancel(context);
    }
  });
  CHECK_EQ(last.size(), 4 * kEach);
  for (const auto& [context, result] : last) CHECK_EQ(result, Result::kCancelled);
}

}  // namespace mojo_seq::testing::watcher_stress_test
