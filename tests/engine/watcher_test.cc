// Watchers: watching, cancelling, arming, notifying. System rules §9.1-9.3.

#include "watcher.h"

#include "check.h"
#include "data_pipes.h"
#include "message_pipes.h"
#include "platform_handle.h"
#include "watchers.h"

namespace mojo_seq::testing::watcher_test {

constexpr auto kFailed = Result::kFailedPrecondition;

TEST(it_starts_disarmed) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(watcher.recorder().count(), 0u);
  CHECK_EQ(watcher.Arm(), kFailed);
}

TEST(checks_of_a_watch_come_in_order) {
  Pipe pipe, dead;
  CHECK_OK(dead.a.Close());
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_EQ(watcher.Watch(dead.a, kSignalReadable, 1), Result::kInvalidArgument);
  CHECK_EQ(watcher.Watch(watcher.handle(), kSignalReadable, 1), Result::kAlreadyExists);
  CHECK_EQ(watcher.Watch(pipe.a, kSignalReadable, 1), Result::kAlreadyExists);
  CHECK_EQ(watcher.Watch(pipe.b, kSignalReadable, 2), Result::kAlreadyExists);
  CHECK_EQ(watcher.Watch(watcher.handle(), kSignalReadable, 2), Result::kInvalidArgument);
  int fd = dup(0);
  if (fd < 0) fd = dup(2);
  Ref<PlatformHandle> wrapped;
  CHECK_OK(PlatformHandle::Wrap(fd, &wrapped));
  Handle<PlatformHandle> handle(std::move(wrapped));
  CHECK_EQ(watcher.Watch(handle, kSignalReadable, 2), Result::kInvalidArgument);
  CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 0));  // any number is a context
  CHECK_OK(watcher.Close());
  CHECK_EQ(watcher.Watch(pipe.a, kSignalReadable, 3), Result::kInvalidArgument);
  CHECK_EQ(watcher.Arm(), Result::kInvalidArgument);
  CHECK_EQ(watcher.Cancel(1), Result::kInvalidArgument);
}

TEST(a_handle_in_transit_cannot_be_watched) {
  Pipe pipe, carrier;
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  TestWatcher watcher;
  CHECK_EQ(watcher.Watch(pipe.b, kSignalReadable, 1), Result::kInvalidArgument);
  CHECK_EQ(watcher.Watch(pipe.b.dispatcher(), 0, kSignalReadable, 1), Result::kInvalidArgument);
}

TEST(a_failed_watch_leaves_its_context_free) {
  Pipe pipe, dead;
  CHECK_OK(dead.a.Close());
  TestWatcher watcher;
  CHECK_EQ(watcher.Watch(dead.a, kSignalReadable, 1), Result::kInvalidArgument);
  CHECK(!watcher.handle()->HasWatch(1));
  CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
  CHECK(watcher.handle()->HasWatch(1));
  CHECK_EQ(watcher.recorder().count(), 0u);
}

TEST(arming_without_watches_is_not_found) {
  TestWatcher watcher;
  CHECK_EQ(watcher.Arm(), Result::kNotFound);
  Pipe pipe;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(watcher.Arm());  // armed already
  CHECK_OK(watcher.Cancel(1));
  CHECK_EQ(watcher.Arm(), Result::kNotFound);
}

TEST(one_notification_for_each_arming) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 7));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "1"));
  CHECK_OK(Write(pipe.a, "2"));
  CHECK_EQ(watcher.recorder().count(), 1u);
  const Notified told = watcher.recorder().last();
  CHECK_EQ(told.context, 7u);
  CHECK_OK(told.result);
  CHECK_EQ(told.state.satisfied, kSignalReadable | kSignalWritable);
  CHECK_EQ(told.flags, kNotificationNone);
  CHECK_EQ(watcher.Arm(), kFailed);
  ReadText(pipe.b);
  CHECK_EQ(watcher.Arm(), kFailed);
  ReadText(pipe.b);
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "3"));
  CHECK_EQ(watcher.recorder().count(), 2u);
}

TEST(one_wave_tells_of_one_watch_and_arming_of_the_others) {
  Pipe first, second;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(first.a, "x"));
  CHECK_OK(Write(second.a, "x"));
  CHECK_EQ(watcher.recorder().count(), 1u);
  std::vector<ReadyWatch> ready;
  CHECK_EQ(watcher.Arm(16, &ready), kFailed);
  CHECK_EQ(ready.size(), 2u);
}

TEST(states_that_change_no_verdict_notify_nobody) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalPeerClosed, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "x"));
  ReadText(pipe.b);
  CHECK_EQ(watcher.recorder().count(), 0u);
  CHECK_OK(pipe.a.Close());
  CHECK_EQ(watcher.recorder().count(), 1u);
}

TEST(what_can_never_be_is_told_as_a_failed_precondition) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(pipe.a.Close());
  CHECK_EQ(watcher.recorder().last().result, kFailed);
  CHECK_EQ(watcher.recorder().last().state.satisfied, kSignalPeerClosed);
}

TEST(no_signals_can_never_be_satisfied) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalNone, 1));
  std::vector<ReadyWatch> ready;
  CHECK_EQ(watcher.Arm(16, &ready), kFailed);
  CHECK_EQ(ready[0].result, kFailed);
}

TEST(watching_a_ready_handle_while_armed_notifies_at_once) {
  Pipe idle, ready;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(idle.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(ready.a, "x"));
  CHECK_OK(watcher.Watch(ready.b, kSignalReadable, 2));
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_EQ(watcher.recorder().last().context, 2u);
  CHECK_OK(Write(idle.a, "x"));  // that has disarmed it
  CHECK_EQ(watcher.recorder().count(), 1u);
}

TEST(arming_reports_what_is_ready_and_nothing_else) {
  Pipe pipes[4];
  TestWatcher watcher;
  for (WatchContext i = 0; i < 4; ++i) CHECK_OK(watcher.Watch(pipes[i].b, kSignalReadable, i));
  CHECK_OK(Write(pipes[1].a, "x"));
  CHECK_OK(pipes[3].a.Close());
  std::vector<ReadyWatch> ready;
  CHECK_EQ(watcher.Arm(16, &ready), kFailed);
  CHECK_EQ(ready.size(), 2u);
  CHECK_EQ(ready[0].context, 1u);
  CHECK_OK(ready[0].result);
  CHECK_EQ(ready[0].state.satisfied, kSignalReadable | kSignalWritable);
  CHECK_EQ(ready[1].context, 3u);
  CHECK_EQ(ready[1].result, kFailed);
  ready.clear();
  CHECK_EQ(watcher.Arm(0, &ready), kFailed);
  CHECK(ready.empty());
}

TEST(arming_reports_the_latest_state) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(pipe.a.Close());
  std::vector<ReadyWatch> ready;
  CHECK_EQ(watcher.Arm(1, &ready), kFailed);
  CHECK_OK(ready[0].result);
  CHECK_EQ(ready[0].state.satisfied, kSignalReadable | kSignalPeerClosed);
}

TEST(repeated_arming_reports_all_that_are_ready) {
  constexpr size_t kPipes = 200;
  for (size_t slots : {1, 7, 199}) {
    std::vector<Pipe> pipes(kPipes);
    TestWatcher watcher;
    for (size_t i = 0; i < kPipes; ++i) {
      CHECK_OK(Write(pipes[i].a, "x"));
      CHECK_OK(watcher.Watch(pipes[i].b, kSignalReadable, i));
    }
    std::vector<size_t> seen(kPipes);
    const size_t calls = (kPipes + slots - 1) / slots;
    for (size_t call = 0; call < calls; ++call) {
      std::vector<ReadyWatch> ready;
      CHECK_EQ(watcher.Arm(slots, &ready), kFailed);
      CHECK_EQ(ready.size(), slots);
      for (const ReadyWatch& each : ready) ++seen[each.context];
    }
    for (size_t count : seen) CHECK(count > 0);
  }
}

TEST(a_handle_may_be_watched_by_many_watchers) {
  Pipe pipe;
  std::vector<std::unique_ptr<TestWatcher>> watchers;
  for (int i = 0; i < 20; ++i) {
    watchers.push_back(std::make_unique<TestWatcher>());
    CHECK_OK(watchers.back()->Watch(pipe.b, kSignalReadable, 1));
    CHECK_OK(watchers.back()->Arm());
  }
  CHECK_OK(Write(pipe.a, "x"));
  for (const auto& each : watchers) CHECK_EQ(each->recorder().count(Result::kOk), 1u);
  CHECK_OK(pipe.b.Close());
  for (const auto& each : watchers) CHECK_EQ(each->recorder().count(Result::kCancelled), 1u);
}

// --- the end of a watch ---

void CheckCancelledOnce(TestWatcher& watcher, WatchContext context) {
  size_t found = 0;
  for (const Notified& each : watcher.recorder().all()) {
    if (each.context != context) continue;
    CHECK_EQ(found, 0u);  // nothing comes after it
    if (each.result != Result::kCancelled) continue;
    CHECK_EQ(each.state.satisfied, 0u);
    CHECK_EQ(each.state.satisfiable, 0u);
    ++found;
  }
  CHECK_EQ(found, 1u);
}

TEST(cancelling_is_told_before_it_returns_and_frees_the_context) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Cancel(1));
  CheckCancelledOnce(watcher, 1);
  CHECK_EQ(LiveCount(Kind::kWatch), 0);
  CHECK_EQ(watcher.Cancel(1), Result::kNotFound);
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_EQ(watcher.Cancel(2), Result::kNotFound);
}

TEST(closing_the_handle_cancels_armed_or_not) {
  for (bool armed : {true, false}) {
    Pipe pipe;
    TestWatcher watcher;
    CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
    if (armed) CHECK_OK(watcher.Arm());
    CHECK_OK(pipe.b.Close());
    CheckCancelledOnce(watcher, 1);
    CHECK_EQ(watcher.Cancel(1), Result::kNotFound);
    CHECK_EQ(watcher.Arm(), Result::kNotFound);
    CHECK_OK(watcher.Close());
    CheckCancelledOnce(watcher, 1);
  }
}

TEST(closing_the_watcher_cancels_all) {
  Pipe first, second;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  CHECK_OK(watcher.Close());
  CheckCancelledOnce(watcher, 1);
  CheckCancelledOnce(watcher, 2);
  CHECK_OK(Write(first.a, "x"));
  CHECK_OK(second.b.Close());
  CHECK_EQ(watcher.recorder().count(), 2u);
}

TEST(cancelling_disarms_nothing_else) {
  Pipe first, second;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  CHECK_OK(watcher.Cancel(1));
  CHECK_OK(Write(second.a, "x"));
  CHECK_EQ(watcher.recorder().count(Result::kOk), 1u);
}

TEST(cancelling_a_ready_watch_takes_it_out_of_the_way) {
  Pipe pipes[3];
  TestWatcher watcher;
  for (WatchContext i = 0; i < 3; ++i) {
    CHECK_OK(watcher.Watch(pipes[i].b, kSignalReadable, i));
    CHECK_OK(Write(pipes[i].a, "x"));
  }
  for (WatchContext i : {1, 0, 2}) {  // from the middle, the front, the back
    CHECK_EQ(watcher.Arm(), kFailed);
    CHECK_OK(watcher.Cancel(i));
  }
  CHECK_EQ(watcher.Arm(), Result::kNotFound);
}

TEST(a_watcher_closes_with_a_watch_on_a_data_pipe) {
  // Its ends have a lock that goes away with them, unlike those of message pipes.
  TestWatcher watcher;
  {
    DataPipePair pipe;
    CHECK_OK(watcher.Watch(pipe.consumer, kSignalReadable, 1));
    CHECK_OK(watcher.Watch(pipe.producer, kSignalPeerClosed, 2));
    CHECK_OK(watcher.Arm());
    CHECK_OK(Write(pipe.producer, "x"));
  }
  CheckCancelledOnce(watcher, 1);
  CheckCancelledOnce(watcher, 2);
}

TEST(watches_and_handles_do_not_keep_each_other_alive) {
  {
    Pipe pipe;
    TestWatcher watcher;
    CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  }
  CHECK_EQ(LiveCount(Kind::kWatch), 0);
  CHECK_EQ(LiveCount(Kind::kDispatcher), 0);
}

}  // namespace mojo_seq::testing::watcher_test
