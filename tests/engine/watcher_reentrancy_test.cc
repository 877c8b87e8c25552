// What a handler may do. System rules §9.4.

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "watchers.h"

namespace mojo_seq::testing::watcher_reentrancy_test {

TEST(a_handler_may_arm_and_provoke_itself_again) {
  Pipe pipe;
  int turns = 0, depth = 0;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    CHECK_EQ(++depth, 1);
    ReadText(pipe.b);
    CHECK_OK(watcher.Arm());
    if (++turns < 10) CHECK_OK(Write(pipe.a, "x"));
    --depth;
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(turns, 10);
}

TEST(a_long_chain_of_notifications_does_not_grow_the_stack) {
  Pipe pipe;
  int turns = 0;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    ReadText(pipe.b);
    CHECK_OK(watcher.Arm());
    if (++turns < 100'000) CHECK_OK(Write(pipe.a, "x"));
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(turns, 100'000);
}

TEST(a_handler_may_watch) {
  Pipe first, second;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.context != 1 || notified.result != Result::kOk) return;
    CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
    ReadText(first.b);
    CHECK_OK(watcher.Arm());
    CHECK_OK(Write(second.a, "x"));
  });
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(first.a, "x"));
  CHECK_EQ(watcher.recorder().last().context, 2u);
}

TEST(write_then_close_in_a_handler_is_one_cancellation) {
  Pipe first, second;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.context != 1 || notified.result != Result::kOk) return;
    CHECK_OK(watcher.Cancel(1));
    CHECK_OK(watcher.Arm());
    CHECK_OK(Write(second.a, "x"));
    CHECK_OK(second.b.Close());
    CHECK_EQ(watcher.Arm(), Result::kNotFound);  // both watches are gone already
  });
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(first.a, "x"));
  size_t about_second = 0;
  for (const Notified& each : watcher.recorder().all()) {
    if (each.context != 2) continue;
    CHECK_EQ(each.result, Result::kCancelled);
    ++about_second;
  }
  CHECK_EQ(about_second, 1u);
}

TEST(arming_after_closing_in_a_handler_works_on_what_is_left) {
  Pipe first, second;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.context != 1 || notified.result != Result::kOk) return;
    CHECK_OK(first.b.Close());
    CHECK_OK(watcher.Arm());
  });
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(first.a, "x"));
  CHECK_OK(Write(second.a, "x"));
  const auto all = watcher.recorder().all();
  CHECK_EQ(all.size(), 3u);
  CHECK_EQ(all[1].result, Result::kCancelled);
  CHECK_EQ(all[2].context, 2u);
}

TEST(a_handler_may_cancel_its_own_watch) {
  Pipe pipe;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    CHECK_OK(watcher.Cancel(1));
    CHECK_EQ(watcher.Cancel(1), Result::kNotFound);
    CHECK_EQ(watcher.Arm(), Result::kNotFound);
    CHECK_EQ(watcher.recorder().count(), 1u);  // told after we return
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(watcher.recorder().count(), 2u);
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(watcher.recorder().count(), 2u);
}

TEST(a_handler_may_close_its_own_watcher) {
  Pipe pipe;
  std::optional<TestWatcher> watcher;
  watcher.emplace([&](const Notified& notified) {
    if (notified.result == Result::kOk) CHECK_OK(watcher->Close());
  });
  CHECK_OK(watcher->Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher->Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(Write(pipe.a, "y"));
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(watcher->recorder().count(), 2u);
  CHECK_EQ(watcher->recorder().last().result, Result::kCancelled);
}

TEST(closing_handle_and_watcher_in_a_handler_is_one_cancellation) {
  Pipe pipe;
  std::optional<TestWatcher> watcher;
  watcher.emplace([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    CHECK_OK(pipe.b.Close());
    CHECK_OK(watcher->Close());
  });
  CHECK_OK(watcher->Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher->Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(watcher->recorder().count(), 2u);
  CHECK_EQ(watcher->recorder().count(Result::kCancelled), 1u);
}

TEST(a_handler_told_of_a_cancellation_may_watch_anew) {
  Pipe first, second;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result == Result::kCancelled && second.b.is_open()) {
      CHECK_OK(watcher.Watch(second.b, kSignalReadable, 1));
      CHECK_OK(watcher.Arm());
    }
  });
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(first.b.Close());
  CHECK_OK(Write(second.a, "x"));
  CHECK_OK(watcher.recorder().last().result);
  CHECK_OK(second.b.Close());
}

TEST(the_last_reference_to_a_watcher_may_go_in_its_handler) {
  Pipe pipe;
  std::optional<Handle<Watcher>> handle;
  auto recorder = MakeRef<Recorder>([&](const Notified& notified) {
    if (notified.result == Result::kOk) handle.reset();
  });
  handle.emplace(MakeRef<Watcher>(Ref<NotificationHandler>(Ref<Recorder>(recorder))));
  {
    ApiCall call;
    std::vector<ReadyWatch> ready;
    CHECK_OK(handle->get()->WatchHandle(handle->value(), pipe.b.dispatcher(), pipe.b.value(),
                                        kSignalReadable, 1));
    CHECK_OK(handle->get()->Arm(handle->value(), 1, &ready));
  }
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(recorder->count(), 2u);
  CHECK_EQ(LiveCount(Kind::kWatch), 0);
}

TEST(a_handler_may_send_the_watched_handle_away) {
  Pipe pipe, carrier;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    CHECK_OK(Write(carrier.a, "", {pipe.b}));
    CHECK_EQ(watcher.Arm(), Result::kNotFound);
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
  CHECK_EQ(ReadText(ReadHandle<MessagePipeEndpoint>(carrier.b)), "x");
}

}  // namespace mojo_seq::testing::watcher_reentrancy_test
