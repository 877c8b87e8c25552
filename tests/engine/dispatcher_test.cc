// Dispatcher: handle values, closing, and sending in two steps. System rules §2, §4.5.

#include "dispatcher.h"

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "platform_handle.h"
#include "threads.h"
#include "wait.h"
#include "watchers.h"

namespace mojo_seq::testing::dispatcher_test {

TEST(values_are_never_zero_and_never_reused) {
  HandleValue last = 0;
  for (int i = 0; i < 100; ++i) {
    Pipe pipe;
    CHECK(pipe.a.value() > last);
    CHECK(pipe.b.value() > pipe.a.value());
    last = pipe.b.value();
  }
}

TEST(closing_twice_is_an_invalid_argument) {
  Pipe pipe;
  CHECK_OK(pipe.a.Close());
  CHECK_EQ(pipe.a.Close(), Result::kInvalidArgument);
  CHECK_EQ(pipe.a->value(), 0u);
}

TEST(value_zero_is_never_valid) {
  Pipe pipe;
  SignalsState state;
  CHECK_EQ(pipe.a->Close(0), Result::kInvalidArgument);
  CHECK_EQ(pipe.a->QueryState(0, &state), Result::kInvalidArgument);
  CHECK_OK(pipe.a.Close());
  CHECK_EQ(pipe.a->Close(0), Result::kInvalidArgument);
  CHECK_EQ(pipe.a->QueryState(0, &state), Result::kInvalidArgument);
}

TEST(a_stale_value_does_not_reach_the_handle_that_came_after_it) {
  Pipe carrier, pipe;
  CHECK_OK(Write(carrier.a, "", {pipe.a}));
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK(received.get() == pipe.a.get());
  CHECK(received.value() != pipe.a.value());
  SignalsState state;
  CHECK_EQ(pipe.a.Close(), Result::kInvalidArgument);
  CHECK_EQ(pipe.a->QueryState(pipe.a.value(), &state), Result::kInvalidArgument);
  CHECK_EQ(Write(pipe.a, "x"), Result::kInvalidArgument);
  CHECK(received.is_open());
  CHECK_OK(Write(received, "x"));
  CHECK_EQ(ReadText(pipe.b), "x");
}

TEST(a_failed_call_leaves_its_outputs_alone) {
  Pipe pipe;
  CHECK_OK(pipe.a.Close());
  SignalsState state{77, 88};
  CHECK_EQ(pipe.a->QueryState(pipe.a.value(), &state), Result::kInvalidArgument);
  CHECK_EQ(state.satisfied, 77u);
  CHECK_EQ(state.satisfiable, 88u);
}

TEST(what_cannot_be_watched_has_no_signals) {
  Ref<PlatformHandle> wrapped;
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  CHECK_OK(PlatformHandle::Wrap(ends[0], &wrapped));
  close(ends[1]);
  Handle<PlatformHandle> handle(std::move(wrapped));
  CHECK(!handle->IsWatchable());
  CHECK_STATE(handle, 0, 0);
  Waiter waiter;
  CHECK_EQ(waiter.Add(handle.get(), handle.value(), kSignalReadable), Result::kInvalidArgument);
  TestWatcher watcher;
  CHECK(!watcher.handle()->IsWatchable());
  CHECK_STATE(watcher.handle(), 0, 0);
}

// --- sending in two steps ---

struct Transit {
  explicit Transit(const PipeEnd& end) : end(end) {}
  Result Begin() {
    ApiCall call;
    return end->BeginTransit(end.value(), &observers);
  }
  void Abort() {
    ApiCall call;
    end->AbortTransit(end.value(), std::move(observers));
  }
  void Commit() {
    ApiCall call;
    end->CommitTransit(std::move(observers));
  }
  const PipeEnd& end;
  Observer::List observers;
};

TEST(a_handle_in_transit_is_dead_to_its_owner) {
  Pipe pipe;
  Transit transit(pipe.a);
  CHECK_OK(pipe.a->CheckTransit(pipe.a.value()));
  CHECK_OK(transit.Begin());
  CHECK(pipe.a->InTransit());
  CHECK(!pipe.a.is_open());
  CHECK_EQ(pipe.a.Close(), Result::kInvalidArgument);
  CHECK_EQ(Write(pipe.a, "x"), Result::kInvalidArgument);
  Transit again(pipe.a);
  CHECK_EQ(again.Begin(), Result::kBusy);
  CHECK_EQ(pipe.a->CheckTransit(pipe.a.value()), Result::kBusy);
  transit.Abort();
  CHECK(pipe.a.is_open());
  CHECK(!pipe.a->InTransit());
  CHECK_OK(Write(pipe.a, "x"));
}

TEST(after_an_abort_watches_go_on_and_know_what_they_missed) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  Transit transit(pipe.a);
  CHECK_OK(transit.Begin());
  CHECK_OK(Write(pipe.b, "x"));
  CHECK_EQ(watcher.recorder().count(), 0u);
  transit.Abort();
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_OK(watcher.recorder().last().result);
}

TEST(after_an_abort_waits_go_on_and_know_what_they_missed) {
  Pipe pipe;
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.a.get(), pipe.a.value(), kSignalPeerClosed));
  Transit transit(pipe.a);
  CHECK_OK(transit.Begin());
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(waiter.Wait(0), Result::kDeadlineExceeded);
  transit.Abort();
  CHECK_OK(waiter.Wait(0));
  CHECK_OK(waiter.result());
}

TEST(a_commit_cancels_watches_and_waits) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.a.get(), pipe.a.value(), kSignalReadable));
  Transit transit(pipe.a);
  CHECK_OK(transit.Begin());
  transit.Commit();
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
  CHECK_OK(waiter.Wait(0));
  CHECK_EQ(waiter.result(), Result::kCancelled);
  CHECK_EQ(watcher.Cancel(1), Result::kNotFound);
  pipe.a->CloseInTransit();
  DispatchPending();
  CHECK_STATE(pipe.b, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(a_watch_cancelled_in_the_window_does_not_come_back) {
  for (bool abort : {true, false}) {
    Pipe pipe;
    TestWatcher watcher;
    CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
    Transit transit(pipe.a);
    CHECK_OK(transit.Begin());
    CHECK_OK(watcher.Cancel(1));
    CHECK_EQ(watcher.recorder().count(Result::kCancelled), 1u);
    if (abort) {
      transit.Abort();
      CHECK_EQ(LiveCount(Kind::kWatch), 0);
      CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
      CHECK_OK(watcher.Arm());
      CHECK_OK(Write(pipe.b, "x"));
      CHECK_EQ(watcher.recorder().count(), 2u);
    } else {
      transit.Commit();
      CHECK_EQ(watcher.recorder().count(), 1u);
      pipe.a->CloseInTransit();
      DispatchPending();
    }
  }
}

TEST(a_wait_that_ends_in_the_window_leaves_nothing_behind) {
  for (bool abort : {true, false}) {
    Pipe pipe;
    Transit transit(pipe.a);
    {
      Waiter waiter;
      CHECK_OK(waiter.Add(pipe.a.get(), pipe.a.value(), kSignalReadable));
      CHECK_OK(transit.Begin());
    }
    if (abort) {
      transit.Abort();
      CHECK_OK(Write(pipe.b, "x"));  // would tell the waiter that is gone
    } else {
      transit.Commit();
      pipe.a->CloseInTransit();
      DispatchPending();
    }
  }
}

TEST(the_receiver_may_watch_before_the_sender_has_finished) {
  // Another thread can receive the handle between the push of its message and the commit. It may
  // use the very watcher in which the sender's watch is about to be cancelled.
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
  Transit transit(pipe.a);
  CHECK_OK(transit.Begin());
  PipeEnd received(pipe.a.ref());
  CHECK_OK(watcher.Watch(received, kSignalReadable, 2));
  transit.Commit();
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_EQ(watcher.recorder().last().context, 1u);
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
  CHECK_EQ(watcher.Watch(received, kSignalReadable, 3), Result::kAlreadyExists);
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.b, "x"));
  CHECK_EQ(watcher.recorder().last().context, 2u);
}

TEST(closing_a_carried_handle_is_done_once) {
  Pipe pipe;
  Transit transit(pipe.a);
  CHECK_OK(transit.Begin());
  transit.Commit();
  pipe.a->CloseInTransit();
  CHECK(!pipe.a->InTransit());
  pipe.a->CloseInTransit();
  DispatchPending();
  CHECK_STATE(pipe.b, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(pipes_that_share_a_lock_do_not_disturb_each_other) {
  // There are fewer locks than pipes.
  std::vector<Pipe> pipes(600);
  for (const Pipe& each : pipes) CHECK_OK(Write(each.a, "x"));
  for (size_t i = 0; i < pipes.size(); i += 2) CHECK_OK(pipes[i].a.Close());
  for (size_t i = 0; i < pipes.size(); ++i) {
    CHECK_EQ(ReadText(pipes[i].b), "x");
    CHECK_EQ((pipes[i].b.State().satisfied & kSignalPeerClosed) != 0, i % 2 == 0);
  }
}

TEST(a_race_of_closers_has_one_winner) {
  std::optional<Pipe> pipe;
  std::atomic<int> closed{0};
  int rounds = 0;
  const auto close = [&] {
    if (pipe->a.Close() == Result::kOk) ++closed;
  };
  Race(
      3'000,
      [&] {
        if (pipe) {
          ++rounds;
          CHECK_EQ(closed.load(), rounds);
        }
        pipe.emplace();
      },
      close, close);
}

}  // namespace mojo_seq::testing::dispatcher_test
