// SequenceNotifier: notifications that become tasks. System rules §10.

#include "sequence_notifier.h"

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "run_loop.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::sequence_notifier_test {

// What the binding's SimpleWatcher is made of.
struct SequenceWatcher {
  explicit SequenceWatcher(Ref<Sequence> sequence)
      : target(MakeRef<NotificationTarget>(this)),
        watcher(MakeRef<Watcher>(Ref<NotificationHandler>(
            MakeRef<SequenceNotifier>(std::move(sequence), target)))) {}
  Result Watch(const PipeEnd& end, Signals signals) {
    ApiCall call;
    return watcher->WatchHandle(watcher.value(), end.dispatcher(), end.value(), signals, 0);
  }
  Result Arm() {
    ApiCall call;
    std::vector<ReadyWatch> ready;
    return watcher->Arm(watcher.value(), 1, &ready);
  }
  Ref<NotificationTarget> target;
  Handle<Watcher> watcher;
};

Ref<Sequence> NewLoop(Ref<RunLoop>* loop) {
  *loop = MakeRef<RunLoop>();
  return MakeRef<Sequence>(Ref<Scheduler>(Ref<RunLoop>(*loop)), SequenceTraits{});
}

TEST(a_notification_arrives_as_a_task) {
  Ref<RunLoop> loop;
  Ref<Sequence> sequence = NewLoop(&loop);
  Pipe pipe;
  SequenceWatcher watcher(sequence);
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable));
  CHECK_OK(watcher.Arm());
  CHECK(!sequence->Pop());
  CHECK_OK(Write(pipe.a, "x"));
  auto* const task = static_cast<NotificationTask*>(sequence->Pop());
  CHECK(task);
  CHECK(task->target == watcher.target.get());
  CHECK_OK(task->result);
  CHECK_EQ(task->state.satisfied, kSignalReadable | kSignalWritable);
  delete task;
  CHECK_OK(pipe.b.Close());
  auto* const last = static_cast<NotificationTask*>(sequence->Pop());
  CHECK_EQ(last->result, Result::kCancelled);
  delete last;
  CHECK(!sequence->Pop());
}

TEST(a_task_keeps_its_target) {
  Ref<RunLoop> loop;
  Ref<Sequence> sequence = NewLoop(&loop);
  {
    Pipe pipe;
    SequenceWatcher watcher(sequence);
    CHECK_OK(watcher.Watch(pipe.b, kSignalReadable));
    watcher.target->owner = nullptr;
  }
  auto* const task = static_cast<NotificationTask*>(sequence->Pop());
  CHECK(task->target->owner == nullptr);
  delete task;
}

TEST(a_sequence_that_was_shut_down_is_told_nothing) {
  Ref<RunLoop> loop;
  Ref<Sequence> sequence = NewLoop(&loop);
  Pipe pipe;
  SequenceWatcher watcher(sequence);
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable));
  CHECK_OK(watcher.Arm());
  {
    ApiCall call;
    CHECK(!loop->Close());
  }
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(LiveCount(Kind::kTask), 0);
}

TEST(a_notification_wakes_the_loop) {
  for (int round = 0; round < 200; ++round) {
    Ref<RunLoop> loop;
    Ref<Sequence> sequence = NewLoop(&loop);
    Pipe pipe;
    SequenceWatcher watcher(sequence);
    CHECK_OK(watcher.Watch(pipe.b, kSignalReadable));
    CHECK_OK(watcher.Arm());
    Blocker runner([&] {
      for (;;) {
        if (Task* task = sequence->Pop()) {
          delete task;
          return;
        }
        loop->Wait(kNever);
      }
    });
    if (round % 2) runner.WaitUntilAsleep();
    CHECK_OK(Write(pipe.a, "x"));
    runner.Join();
    CHECK_OK(pipe.b.Close());
  }
}

// A handler that pushes from whatever thread, as SequenceNotifier does.
class PushingHandler : public NotificationHandler {
 public:
  PushingHandler(Ref<Sequence> sequence, std::atomic<int>* told)
      : sequence_(std::move(sequence)), told_(told) {}
  void OnNotification(WatchContext, Result, const SignalsState&, uint32_t) override {
    auto* const task = new FunctionTask([told = told_] { ++*told; });
    if (sequence_->Push(task) != Result::kOk) delete task;
  }

 private:
  const Ref<Sequence> sequence_;
  std::atomic<int>* const told_;
};

TEST(a_notification_wakes_a_pool) {
  std::atomic<int> told{0};
  TestPool pool(1);
  Pipe pipe;
  Handle<Watcher> watcher(MakeRef<Watcher>(
      Ref<NotificationHandler>(MakeRef<PushingHandler>(pool.NewSequence(), &told))));
  {
    ApiCall call;
    CHECK_OK(watcher->WatchHandle(watcher.value(), pipe.b.dispatcher(), pipe.b.value(),
                                  kSignalReadable, 0));
  }
  for (int i = 1; i <= 300; ++i) {
    {
      ApiCall call;
      std::vector<ReadyWatch> ready;
      CHECK_OK(watcher->Arm(watcher.value(), 1, &ready));
    }
    CHECK_OK(Write(pipe.a, "x"));
    while (told < i) sched_yield();
    ReadText(pipe.b);
  }
}

TEST(notifying_races_with_shutting_down) {
  std::optional<Pipe> pipe;
  std::optional<SequenceWatcher> watcher;
  Ref<RunLoop> loop;
  Ref<Sequence> sequence;
  Race(
      2'000,
      [&] {
        watcher.reset();
        if (sequence) DropTasks(sequence->TakeAll());
        CHECK_EQ(LiveCount(Kind::kTask), 0);
        sequence = NewLoop(&loop);
        pipe.emplace();
        watcher.emplace(sequence);
        CHECK_OK(watcher->Watch(pipe->b, kSignalReadable));
        CHECK_OK(watcher->Arm());
      },
      [&] { CHECK_OK(Write(pipe->a, "x")); },
      [&] {
        ApiCall call;
        DropTasks(loop->Close());
        DropTasks(sequence->TakeAll());
      });
}

}  // namespace mojo_seq::testing::sequence_notifier_test
