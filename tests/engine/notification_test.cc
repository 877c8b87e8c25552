// Notifications: when and in which order handlers run. System rules §9.3.

#include "notification.h"

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "threads.h"
#include "watchers.h"

namespace mojo_seq::testing::notification_test {

struct CountingWaker : public Waker {
  void Wake() override {
    ++wakes;
    if (then) QueueWake(std::exchange(then, nullptr));
  }
  int wakes = 0;
  Ref<Waker> then;
};

TEST(nothing_runs_before_the_end_of_the_call) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  {
    ApiCall call;
    OwnedMessage message = MakeMessage("x");
    size_t blamed;
    CHECK_OK(pipe.a->Write(pipe.a.value(), message.release(), nullptr, &blamed));
    CHECK(HasPendingDispatch());
    CHECK_EQ(watcher.recorder().count(), 0u);
  }
  CHECK(!HasPendingDispatch());
  CHECK_EQ(watcher.recorder().count(), 1u);
}

TEST(cancellations_are_delivered_before_all_others) {
  Pipe first, second;
  std::vector<WatchContext> order;
  TestWatcher watcher([&](const Notified& notified) { order.push_back(notified.context); });
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  {
    ApiCall outermost;
    OwnedMessage message = MakeMessage("x");
    size_t blamed;
    CHECK_OK(first.a->Write(first.a.value(), message.release(), nullptr, &blamed));
    CHECK_OK(second.b->Close(second.b.value()));
  }
  CHECK_EQ(order.size(), 2u);
  CHECK_EQ(order[0], 2u);
  CHECK_EQ(order[1], 1u);
}

TEST(a_pending_notification_of_a_cancelled_watch_is_dropped) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  {
    ApiCall outermost;
    OwnedMessage message = MakeMessage("x");
    size_t blamed;
    CHECK_OK(pipe.a->Write(pipe.a.value(), message.release(), nullptr, &blamed));
    CHECK_OK(watcher.handle()->CancelWatch(watcher.handle().value(), 1));
  }
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
}

TEST(handlers_do_not_run_inside_one_another) {
  Pipe first, second;
  int depth = 0;
  std::vector<WatchContext> order;
  TestWatcher watcher([&](const Notified& notified) {
    CHECK_EQ(++depth, 1);
    order.push_back(notified.context);
    if (notified.context == 1 && notified.result == Result::kOk) {
      CHECK_OK(watcher.Cancel(1));
      CHECK_OK(watcher.Arm());
      CHECK_OK(Write(second.a, "y"));  // would notify context 2
    }
    --depth;
  });
  CHECK_OK(watcher.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(watcher.Watch(second.b, kSignalReadable, 2));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(first.a, "x"));
  // The cancellation goes before what the write provoked.
  CHECK_EQ(order.size(), 3u);
  CHECK_EQ(order[1], 1u);
  CHECK_EQ(order[2], 2u);
}

TEST(inside_a_handler_threads_are_woken_at_once) {
  auto waker = MakeRef<CountingWaker>();
  Pipe pipe;
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    {
      ApiCall call;
      QueueWake(Ref<Waker>(Ref<CountingWaker>(waker)));
      CHECK_EQ(waker->wakes, 0);
    }
    CHECK_EQ(waker->wakes, 1);
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(waker->wakes, 1);
}

TEST(wakes_that_wakes_queue_are_done_too) {
  auto first = MakeRef<CountingWaker>(), second = MakeRef<CountingWaker>();
  first->then = Ref<CountingWaker>(second);
  QueueWake(Ref<CountingWaker>(first));
  CHECK(HasPendingDispatch());
  DispatchPending();
  CHECK(!HasPendingDispatch());
  CHECK_EQ(first->wakes, 1);
  CHECK_EQ(second->wakes, 1);
}

TEST(wakes_that_a_handler_leaves_queued_are_done_after_it) {
  auto waker = MakeRef<CountingWaker>();
  Pipe pipe;
  TestWatcher watcher([&](const Notified& notified) {
    // As SequenceNotifier does: a handler that is no API call.
    if (notified.result == Result::kOk) QueueWake(Ref<Waker>(Ref<CountingWaker>(waker)));
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(waker->wakes, 1);
}

TEST(a_thread_dispatches_only_what_it_provoked) {
  Pipe pipe;
  std::thread::id handler_ran_on;
  TestWatcher watcher([&](const Notified&) { handler_ran_on = std::this_thread::get_id(); });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  Barrier barrier(2);
  std::thread other([&] {
    ApiCall call;
    OwnedMessage message = MakeMessage("x");
    size_t blamed;
    CHECK_OK(pipe.a->Write(pipe.a.value(), message.release(), nullptr, &blamed));
    barrier.Wait();
    barrier.Wait();
  });
  barrier.Wait();
  CHECK(!HasPendingDispatch());
  DispatchPending();
  CHECK_EQ(watcher.recorder().count(), 0u);
  const std::thread::id id = other.get_id();
  barrier.Wait();
  other.join();
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK(handler_ran_on == id);
}

TEST(from_system_is_inherited_by_what_a_handler_provokes) {
  Pipe first, second, third;
  TestWatcher inner, later;
  CHECK_OK(inner.Watch(second.b, kSignalReadable, 1));
  CHECK_OK(inner.Arm());
  CHECK_OK(later.Watch(third.b, kSignalReadable, 1));
  CHECK_OK(later.Arm());
  TestWatcher outer([&](const Notified& notified) {
    if (notified.result == Result::kOk) CHECK_OK(Write(second.a, "y"));
  });
  CHECK_OK(outer.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(outer.Arm());
  {
    ApiCall call;  // in the place of the thread that receives from other processes
    SystemScope scope;
    OwnedMessage message = MakeMessage("x");
    size_t blamed;
    CHECK_OK(first.a->Write(first.a.value(), message.release(), nullptr, &blamed));
  }
  CHECK_EQ(outer.recorder().last().flags, kNotificationFromSystem);
  CHECK_EQ(inner.recorder().last().flags, kNotificationFromSystem);
  CHECK_OK(Write(third.a, "z"));
  CHECK_EQ(later.recorder().last().flags, kNotificationNone);
}

TEST(from_system_is_not_inherited_by_those_in_between) {
  // Queued by one call: a notification of the program's own, and one from the system.
  Pipe first, second;
  TestWatcher own, system;
  CHECK_OK(own.Watch(first.b, kSignalReadable, 1));
  CHECK_OK(own.Arm());
  CHECK_OK(system.Watch(second.b, kSignalReadable, 1));
  CHECK_OK(system.Arm());
  {
    ApiCall call;
    size_t blamed;
    {
      SystemScope scope;
      CHECK_OK(second.a->Write(second.a.value(), MakeMessage("x").release(), nullptr, &blamed));
    }
    CHECK_OK(first.a->Write(first.a.value(), MakeMessage("x").release(), nullptr, &blamed));
  }
  CHECK_EQ(own.recorder().last().flags, kNotificationNone);
  CHECK_EQ(system.recorder().last().flags, kNotificationFromSystem);
}

std::atomic<int> contended{0};

TEST(a_contended_handler_is_waited_for_through_the_hook) {
  void (*const before)(std::mutex*) = lock_contended;
  lock_contended = [](std::mutex* mutex) {
    ++contended;
    mutex->lock();
  };
  Pipe pipe;
  std::atomic<bool> release{false}, entered{false};
  TestWatcher watcher([&](const Notified& notified) {
    if (notified.result != Result::kOk) return;
    entered = true;
    while (!release) sched_yield();
  });
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  std::thread writer([&] { CHECK_OK(Write(pipe.a, "x")); });
  while (!entered) sched_yield();
  CHECK_EQ(contended.load(), 0);
  std::thread canceller([&] { CHECK_OK(watcher.Cancel(1)); });
  while (contended == 0) sched_yield();
  CHECK_EQ(watcher.recorder().count(Result::kCancelled), 0u);
  release = true;
  writer.join();
  canceller.join();
  CHECK_EQ(contended.load(), 1);
  CHECK_EQ(watcher.recorder().count(Result::kCancelled), 1u);
  lock_contended = before;
}

}  // namespace mojo_seq::testing::notification_test
