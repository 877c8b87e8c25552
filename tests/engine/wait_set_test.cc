// WaitSet: a lasting set of handles and events. System rules §11.

#include "wait_set.h"

#include <map>
#include <optional>
#include <set>

#include "check.h"
#include "data_pipes.h"
#include "message_pipes.h"
#include "threads.h"
#include "wait_sets.h"

namespace mojo_seq::testing::wait_set_test {

TEST(an_empty_set_returns_at_once) {
  TestWaitSet set;
  CHECK(set.IsEmpty());
  const auto outcome = set.Wait(16, kNever);
  CHECK_OK(outcome.result);
  CHECK(!outcome.event);
  CHECK(outcome.ready.empty());
}

TEST(members_are_added_once_and_removed_once) {
  Pipe pipe;
  TestWaitSet set;
  auto event = MakeRef<WaitableEvent>(true, false);
  CHECK_OK(set.Add(pipe.a, kSignalReadable));
  CHECK_EQ(set.Add(pipe.a, kSignalPeerClosed), Result::kAlreadyExists);
  CHECK_OK(set.Add(event));
  CHECK_EQ(set.Add(event), Result::kAlreadyExists);
  CHECK(!set.IsEmpty());
  CHECK_EQ(set.Remove(pipe.b), Result::kNotFound);
  CHECK_OK(set.Remove(pipe.a));
  CHECK_EQ(set.Remove(pipe.a), Result::kNotFound);
  CHECK_OK(set.Remove(event));
  CHECK_EQ(set.Remove(event), Result::kNotFound);
  CHECK(set.IsEmpty());
}

TEST(a_bad_handle_is_not_added) {
  Pipe pipe;
  CHECK_OK(pipe.a.Close());
  TestWaitSet set;
  CHECK_EQ(set.Add(pipe.a, kSignalReadable), Result::kInvalidArgument);
  CHECK(set.IsEmpty());
}

TEST(a_ready_handle_is_reported_every_time_until_it_is_not) {
  Pipe pipe;
  TestWaitSet set;
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_EQ(set.Wait().result, Result::kDeadlineExceeded);
  CHECK_OK(Write(pipe.a, "x"));
  for (int i = 0; i < 3; ++i) {
    const auto outcome = set.Wait();
    CHECK_OK(outcome.result);
    CHECK_EQ(outcome.ready.size(), 1u);
    CHECK_EQ(outcome.ready[0].value, pipe.b.value());
    CHECK(outcome.ready[0].dispatcher.get() == pipe.b.get());
    CHECK_OK(outcome.ready[0].result);
    CHECK_EQ(outcome.ready[0].state.satisfied, kSignalReadable | kSignalWritable);
    CHECK(!outcome.event);
  }
  ReadText(pipe.b);
  CHECK_EQ(set.Wait().result, Result::kDeadlineExceeded);
}

TEST(what_can_never_be_is_reported_as_a_failed_precondition) {
  Pipe pipe;
  TestWaitSet set;
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_OK(pipe.a.Close());
  for (int i = 0; i < 2; ++i) {
    const auto outcome = set.Wait();
    CHECK_EQ(outcome.ready.size(), 1u);
    CHECK_EQ(outcome.ready[0].result, Result::kFailedPrecondition);
  }
}

TEST(a_closed_handle_is_reported_once_and_removed) {
  Pipe pipe, other;
  TestWaitSet set;
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_OK(set.Add(other.b, kSignalReadable));
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(set.Remove(pipe.b), Result::kNotFound);
  const auto outcome = set.Wait();
  CHECK_EQ(outcome.ready.size(), 1u);
  CHECK_EQ(outcome.ready[0].result, Result::kCancelled);
  CHECK_EQ(outcome.ready[0].value, pipe.b.value());
  CHECK_EQ(outcome.ready[0].state.satisfiable, 0u);
  CHECK_EQ(set.Wait().result, Result::kDeadlineExceeded);
}

TEST(every_cancellation_is_reported_though_it_does_not_fit) {
  std::vector<Pipe> pipes(5);
  TestWaitSet set;
  for (const Pipe& each : pipes) CHECK_OK(set.Add(each.b, kSignalReadable));
  for (const Pipe& each : pipes) CHECK_OK(each.b.Close());
  std::set<HandleValue> seen;
  for (int i = 0; i < 3; ++i) {
    for (const ReadyHandle& each : set.Wait(2).ready) {
      CHECK_EQ(each.result, Result::kCancelled);
      CHECK(seen.insert(each.value).second);
    }
  }
  CHECK_EQ(seen.size(), pipes.size());
  CHECK(set.IsEmpty());
  CHECK_OK(set.Wait(16, kNever).result);  // empty again
}

TEST(a_set_with_unreported_cancellations_is_not_empty) {
  Pipe pipe;
  TestWaitSet set;
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_OK(pipe.b.Close());
  CHECK(!set.IsEmpty());
  CHECK_EQ(set.Wait(16, kNever).ready.size(), 1u);
}

TEST(removing_discards_what_was_ready) {
  Pipe pipe, other;
  TestWaitSet set;
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_OK(set.Add(other.b, kSignalReadable));
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(set.Remove(pipe.b));
  CHECK_EQ(set.Wait().result, Result::kDeadlineExceeded);
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_EQ(set.Wait().ready.size(), 1u);
}

TEST(a_sent_handle_is_cancelled_and_its_new_value_can_be_added) {
  Pipe pipe, carrier;
  TestWaitSet set;
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_OK(set.Add(received, kSignalReadable));
  CHECK_OK(Write(pipe.a, "x"));
  std::map<HandleValue, Result> seen;
  for (const ReadyHandle& each : set.Wait().ready) seen[each.value] = each.result;
  CHECK_EQ(seen.size(), 2u);
  CHECK_EQ(seen[pipe.b.value()], Result::kCancelled);
  CHECK_OK(seen[received.value()]);
}

TEST(events_and_handles_are_reported_together) {
  Pipe pipe;
  TestWaitSet set;
  auto event = MakeRef<WaitableEvent>(true, true);
  CHECK_OK(set.Add(event));
  CHECK_OK(set.Add(pipe.b, kSignalReadable));
  CHECK_OK(Write(pipe.a, "x"));
  const auto outcome = set.Wait();
  CHECK(outcome.event.get() == event.get());
  CHECK_EQ(outcome.ready.size(), 1u);
  event->Reset();
  CHECK(!set.Wait().event);
}

TEST(events_keep_to_their_own_reset_policy) {
  TestWaitSet set;
  auto manual = MakeRef<WaitableEvent>(true, true);
  CHECK_OK(set.Add(manual));
  for (int i = 0; i < 3; ++i) CHECK(set.Wait().event.get() == manual.get());
  CHECK_OK(set.Remove(manual));
  auto automatic = MakeRef<WaitableEvent>(false, true);
  CHECK_OK(set.Add(automatic));
  CHECK(set.Wait().event.get() == automatic.get());
  CHECK(!automatic->IsSignaled());
  CHECK_EQ(set.Wait().result, Result::kDeadlineExceeded);
}

TEST(an_event_may_be_in_several_sets) {
  TestWaitSet first, second;
  auto event = MakeRef<WaitableEvent>(true, false);
  CHECK_OK(first.Add(event));
  CHECK_OK(second.Add(event));
  Signal(event);
  CHECK(first.Wait().event.get() == event.get());
  first.Drop();
  event->Reset();
  Signal(event);
  CHECK(second.Wait().event.get() == event.get());
}

TEST(nobody_starves) {
  std::vector<Pipe> pipes(50);
  std::vector<Ref<WaitableEvent>> events;
  TestWaitSet set;
  for (const Pipe& each : pipes) {
    CHECK_OK(Write(each.a, "x"));
    CHECK_OK(Write(each.b, "x"));
    CHECK_OK(set.Add(each.a, kSignalReadable));
    CHECK_OK(set.Add(each.b, kSignalReadable));
  }
  for (int i = 0; i < 10; ++i) {
    events.push_back(MakeRef<WaitableEvent>(true, true));
    CHECK_OK(set.Add(events.back()));
  }
  std::set<HandleValue> handles;
  std::set<WaitableEvent*> seen;
  for (int i = 0; i < 100; ++i) {
    const auto outcome = set.Wait(1);
    CHECK_OK(outcome.result);
    CHECK_EQ(outcome.ready.size(), 1u);
    handles.insert(outcome.ready[0].value);
    if (outcome.event) seen.insert(outcome.event.get());
  }
  CHECK_EQ(handles.size(), 100u);
  CHECK_EQ(seen.size(), 10u);
}

TEST(a_set_may_end_while_a_member_is_being_sent) {
  for (bool commit : {true, false}) {
    Pipe pipe;
    Observer::List aside;
    {
      TestWaitSet set;
      CHECK_OK(set.Add(pipe.b, kSignalReadable));
      CHECK_OK(pipe.b->BeginTransit(pipe.b.value(), &aside));
    }
    if (commit) {
      pipe.b->CommitTransit(std::move(aside));  // would tell the set
      pipe.b->CloseInTransit();
    } else {
      pipe.b->AbortTransit(pipe.b.value(), std::move(aside));
      CHECK_OK(Write(pipe.a, "x"));
    }
    DispatchPending();
  }
}

TEST(a_set_that_ends_leaves_its_members_alone) {
  Pipe pipe;
  DataPipePair data;
  auto event = MakeRef<WaitableEvent>(true, false);
  {
    TestWaitSet set;
    CHECK_OK(set.Add(pipe.b, kSignalReadable));
    CHECK_OK(set.Add(data.consumer, kSignalReadable));
    CHECK_OK(set.Add(event));
    CHECK_OK(Write(data.producer, "x"));
  }
  CHECK_EQ(LiveCount(Kind::kWaitSet), 0);
  CHECK_OK(Write(pipe.a, "x"));
  Signal(event);
  CHECK_OK(pipe.b.Close());
}

// --- threads ---

TEST(a_waiting_thread_hears_of_every_kind_of_news) {
  for (int round = 0; round < 400; ++round) {
    Pipe pipe;
    TestWaitSet set;
    auto event = MakeRef<WaitableEvent>(true, false);
    CHECK_OK(set.Add(pipe.b, kSignalReadable));
    CHECK_OK(set.Add(event));
    TestWaitSet::Outcome outcome;
    Blocker waiter([&] { outcome = set.Wait(16, kNever); });
    if (round % 8 < 4) waiter.WaitUntilAsleep();
    switch (round % 4) {
      case 0: CHECK_OK(Write(pipe.a, "x")); break;
      case 1: CHECK_OK(pipe.a.Close()); break;
      case 2: CHECK_OK(pipe.b.Close()); break;
      case 3: Signal(event); break;
    }
    waiter.Join();
    CHECK_OK(outcome.result);
    CHECK_EQ(outcome.ready.size(), round % 4 == 3 ? 0u : 1u);
    CHECK_EQ(static_cast<bool>(outcome.event), round % 4 == 3);
  }
}

TEST(a_waiting_thread_sees_what_is_added) {
  for (int round = 0; round < 200; ++round) {
    Pipe idle, ready;
    auto event = MakeRef<WaitableEvent>(true, true);
    CHECK_OK(Write(ready.a, "x"));
    TestWaitSet set;
    CHECK_OK(set.Add(idle.b, kSignalReadable));
    Blocker waiter([&] { CHECK_OK(set.Wait(16, kNever).result); });
    if (round % 4 < 2) waiter.WaitUntilAsleep();
    if (round % 2 == 0) {
      CHECK_OK(set.Add(ready.b, kSignalReadable));
    } else {
      CHECK_OK(set.Add(event));
    }
  }
}

TEST(a_waiting_thread_returns_when_there_is_nothing_left_to_wait_for) {
  for (int round = 0; round < 200; ++round) {
    Pipe pipe;
    auto event = MakeRef<WaitableEvent>(true, false);
    TestWaitSet set;
    CHECK_OK(set.Add(pipe.b, kSignalReadable));
    CHECK_OK(set.Add(event));
    Blocker waiter([&] {
      const auto outcome = set.Wait(16, kNever);
      CHECK_OK(outcome.result);
      CHECK(!outcome.event);
      CHECK(outcome.ready.empty());
    });
    if (round % 4 < 2) waiter.WaitUntilAsleep();
    if (round % 2 == 0) CHECK_OK(set.Remove(pipe.b));
    CHECK_OK(set.Remove(event));
    if (round % 2 == 1) CHECK_OK(set.Remove(pipe.b));
  }
}

TEST(an_automatic_event_goes_to_one_of_those_who_want_it) {
  // A set and a thread that waits for the event itself.
  auto event = MakeRef<WaitableEvent>(false, false);
  constexpr int kSignals = 2'000;
  std::atomic<int> taken{0};
  std::atomic<bool> stop{false};
  RunTogether(3, [&](size_t thread) {
    TestWaitSet set;
    if (thread == 0) CHECK_OK(set.Add(event));
    while (thread < 2 && !stop) {
      if (thread == 0) {
        CHECK(set.Wait(16, kNever).event.get() == event.get());
      } else {
        CHECK_OK(event->Wait(kNever));
      }
      if (stop) {
        Signal(event);  // for the other one
      } else {
        ++taken;
      }
    }
    if (thread < 2) return;
    for (int i = 1; i <= kSignals; ++i) {
      Signal(event);
      while (taken < i) sched_yield();
      CHECK_EQ(taken.load(), i);
    }
    stop = true;
    Signal(event);
  });
}

TEST(a_set_that_ends_races_with_news) {
  std::optional<TestWaitSet> set;
  std::optional<Pipe> pipe;
  Ref<WaitableEvent> event;
  size_t round = 0;
  Race(
      3'000,
      [&] {
        pipe.emplace();
        event = MakeRef<WaitableEvent>(true, false);
        set.emplace();
        CHECK_OK(set->Add(pipe->b, kSignalReadable));
        CHECK_OK(set->Add(event));
        ++round;
      },
      [&] { set->Drop(); },
      [&] {
        switch (round % 3) {
          case 0: CHECK_OK(Write(pipe->a, "x")); break;
          case 1: CHECK_OK(pipe->b.Close()); break;
          case 2: Signal(event); break;
        }
      });
}

TEST(removing_and_adding_race_with_closing) {
  std::optional<TestWaitSet> set;
  std::optional<Pipe> pipe;
  size_t cancelled = 0, removed = 0, rounds = 0;
  Race(
      3'000,
      [&] {
        if (set) {
          ++rounds;
          const auto outcome = set->Wait();
          cancelled += outcome.ready.size();
          CHECK_EQ(cancelled + removed, rounds);  // one or the other
          CHECK(set->IsEmpty());
        }
        pipe.emplace();
        set.emplace();
        CHECK_OK(set->Add(pipe->b, kSignalReadable));
      },
      [&] { removed += set->Remove(pipe->b) == Result::kOk; },
      [&] { CHECK_OK(pipe->b.Close()); });
}

}  // namespace mojo_seq::testing::wait_set_test
