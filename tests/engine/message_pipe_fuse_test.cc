// Fusing message pipes. System rules §4.4.

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "threads.h"
#include "wait.h"
#include "watchers.h"

namespace mojo_seq::testing::message_pipe_fuse_test {

constexpr Signals kOpen = kSignalReadable | kSignalWritable | kSignalPeerClosed | kSignalPeerRemote;

TEST(the_far_ends_become_one_pipe) {
  Pipe left, right;
  CHECK_OK(Fuse(left.b, right.a));
  CHECK(!left.b.is_open());
  CHECK(!right.a.is_open());
  CHECK_OK(Write(left.a, "x"));
  CHECK_OK(Write(right.b, "y"));
  CHECK_EQ(ReadText(right.b), "x");
  CHECK_EQ(ReadText(left.a), "y");
  CHECK_OK(left.a.Close());
  CHECK_STATE(right.b, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(what_is_unread_goes_on_in_order) {
  Pipe left, right;
  for (const char* text : {"1", "2", "3"}) CHECK_OK(Write(left.a, text));
  for (const char* text : {"a", "b"}) CHECK_OK(Write(right.b, text));
  CHECK_EQ(ReadText(left.b), "1");  // having read does not matter
  CHECK_OK(Fuse(left.b, right.a));
  CHECK_OK(Write(left.a, "4"));
  for (const char* text : {"2", "3", "4"}) CHECK_EQ(ReadText(right.b), text);
  for (const char* text : {"a", "b"}) CHECK_EQ(ReadText(left.a), text);
}

TEST(a_peer_closed_before_is_seen_after_its_messages) {
  Pipe left, right;
  CHECK_OK(Write(left.a, "x"));
  CHECK_OK(left.a.Close());
  CHECK_OK(Fuse(left.b, right.a));
  CHECK_STATE(right.b, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  CHECK_EQ(ReadText(right.b), "x");
  CHECK_STATE(right.b, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(with_both_peers_closed_what_is_unread_ends) {
  Pipe left, right, carried;
  CHECK_OK(Write(left.a, "x", {carried.a}));
  CHECK_OK(left.a.Close());
  CHECK_OK(right.b.Close());
  CHECK_OK(Fuse(left.b, right.a));
  CHECK_STATE(carried.b, kSignalPeerClosed, kSignalPeerClosed);
  CHECK_EQ(LiveCount(Kind::kMessage), 0);
}

TEST(two_ends_of_one_pipe_cannot_be_fused) {
  Pipe pipe;
  CHECK_EQ(Fuse(pipe.a, pipe.b), Result::kFailedPrecondition);
  CHECK_EQ(Fuse(pipe.a, pipe.a), Result::kInvalidArgument);
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(ReadText(pipe.b), "x");
}

TEST(an_end_that_was_written_to_cannot_be_fused) {
  for (bool first : {true, false}) {
    Pipe left, right;
    CHECK_OK(Write(first ? left.b : right.a, "x"));
    CHECK_EQ(Fuse(left.b, right.a), Result::kFailedPrecondition);
    CHECK(left.b.is_open());
    CHECK(right.a.is_open());
  }
}

TEST(an_end_written_to_in_a_batch_cannot_be_fused) {
  Pipe left, right;
  MessageList batch;
  batch.Push(MakeMessage("x").release());
  CHECK_OK(left.b->WriteBatch(left.b.value(), &batch));
  CHECK_EQ(Fuse(left.b, right.a), Result::kFailedPrecondition);
}

TEST(a_dead_handle_cannot_be_fused) {
  Pipe left, right;
  CHECK_OK(left.b.Close());
  CHECK_EQ(Fuse(left.b, right.a), Result::kInvalidArgument);
  CHECK_EQ(Fuse(right.a, left.b), Result::kInvalidArgument);
  CHECK(right.a.is_open());
}

TEST(an_end_in_transit_cannot_be_fused) {
  Pipe left, right, carrier;
  CHECK_OK(Write(carrier.a, "", {left.b}));
  CHECK_EQ(Fuse(left.b, right.a), Result::kInvalidArgument);
  CHECK(right.a.is_open());
}

TEST(watches_on_the_fused_ends_are_cancelled_and_the_others_go_on) {
  Pipe left, right;
  TestWatcher near, far;
  CHECK_OK(near.Watch(left.b, kSignalReadable, 1));
  CHECK_OK(near.Watch(right.a, kSignalReadable, 2));
  CHECK_OK(far.Watch(left.a, kSignalReadable, 1));
  CHECK_OK(far.Arm());
  CHECK_OK(Fuse(left.b, right.a));
  CHECK_EQ(near.recorder().count(Result::kCancelled), 2u);
  CHECK_EQ(far.recorder().count(), 0u);
  CHECK_OK(Write(right.b, "x"));
  CHECK_EQ(far.recorder().count(), 1u);
}

TEST(what_arrives_by_fusing_is_noticed) {
  Pipe left, right;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(right.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(left.a, "x"));
  CHECK_OK(Fuse(left.b, right.a));
  CHECK_OK(watcher.recorder().last().result);
}

TEST(a_closed_peer_is_noticed_when_fused) {
  Pipe left, right;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(right.b, kSignalPeerClosed, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(left.a.Close());
  CHECK_OK(Fuse(left.b, right.a));
  CHECK_OK(watcher.recorder().last().result);
}

TEST(a_chain_of_fused_pipes_is_one_pipe) {
  std::vector<Pipe> pipes(300);  // more than there are locks
  CHECK_OK(Write(pipes.front().a, "x"));
  for (size_t i = 0; i + 1 < pipes.size(); ++i) CHECK_OK(Fuse(pipes[i].b, pipes[i + 1].a));
  CHECK_EQ(ReadText(pipes.back().b), "x");
  CHECK_OK(Write(pipes.back().b, "y"));
  CHECK_EQ(ReadText(pipes.front().a), "y");
}

TEST(a_far_end_in_transit_stays_reachable) {
  Pipe left, right, carrier;
  CHECK_OK(Write(carrier.a, "", {right.b}));
  CHECK_OK(Write(left.a, "x"));
  CHECK_OK(Fuse(left.b, right.a));
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_EQ(ReadText(received), "x");
  CHECK_OK(Write(received, "y"));
  CHECK_EQ(ReadText(left.a), "y");
}

TEST(fusing_cannot_put_a_pipe_inside_itself) {
  Pipe left, right;
  CHECK_OK(Write(left.a, "", {right.b}));  // unread at left.b, would go on to right.b
  CHECK(Fuse(left.b, right.a) != Result::kOk);
  CHECK(Fuse(right.a, left.b) != Result::kOk);
  CHECK(left.b.is_open());
  CHECK(right.a.is_open());
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(left.b);
  CHECK_OK(Fuse(left.b, right.a));
  CHECK_OK(Write(left.a, "x"));
  CHECK_EQ(ReadText(received), "x");
}

TEST(fusing_cannot_put_a_pipe_inside_itself_at_a_distance) {
  Pipe left, right, inner;
  CHECK_OK(Write(inner.a, "", {right.b}));
  CHECK_OK(Write(left.a, "", {inner.b}));
  CHECK(Fuse(left.b, right.a) != Result::kOk);
  CHECK(Fuse(right.a, left.b) != Result::kOk);
}

TEST(fusing_cannot_close_a_loop_through_both_queues) {
  // What is unread at left.b holds left.a, what is unread at right.a holds right.b. Each is
  // harmless where it is; crossed over, each would be inside the other.
  Pipe left, right, p, q;
  CHECK_OK(Write(left.a, "", {p.b}));
  CHECK_OK(Write(p.a, "", {left.a}));
  CHECK_OK(Write(right.b, "", {q.b}));
  CHECK_OK(Write(q.a, "", {right.b}));
  CHECK(Fuse(left.b, right.a) != Result::kOk);
  CHECK(Fuse(right.a, left.b) != Result::kOk);
  // Without one half of it there is no loop.
  PipeEnd p_end = ReadHandle<MessagePipeEndpoint>(left.b);
  CHECK_OK(Fuse(left.b, right.a));
  PipeEnd left_end = ReadHandle<MessagePipeEndpoint>(p_end);
  PipeEnd q_end = ReadHandle<MessagePipeEndpoint>(left_end);
  PipeEnd right_end = ReadHandle<MessagePipeEndpoint>(q_end);
  CHECK_OK(Write(left_end, "x"));
  CHECK_EQ(ReadText(right_end), "x");
}

TEST(fusing_and_sending_cannot_make_a_loop_together) {
  // One thread fuses, so that what a's peer holds goes to `far`; the other sends `far` along that
  // very way. One after the other, the second must be refused.
  std::optional<Pipe> left, right, inner;
  Result fused, sent;
  Race(
      3'000,
      [&] {
        if (left) CHECK(!(fused == Result::kOk && sent == Result::kOk));
        left.emplace();
        right.emplace();
        inner.emplace();
        CHECK_OK(Write(left->a, "", {inner->b}));
        fused = sent = Result::kUnknown;
      },
      [&] { fused = Fuse(left->b, right->a); },
      [&] { sent = Write(inner->a, "", {right->b}); });
}

TEST(fusing_both_ends_of_a_row_at_once_keeps_the_messages) {
  // Two fusions and a writer at the same time, over three pipes in a row.
  std::optional<Pipe> pipes[3];
  constexpr int kMessages = 20;
  for (int round = 0; round < 500; ++round) {
    for (auto& each : pipes) each.emplace();
    RunTogether(3, [&](size_t thread) {
      if (thread < 2) {
        CHECK_OK(Fuse(pipes[thread]->b, pipes[thread + 1]->a));
      } else {
        for (int i = 0; i < kMessages; ++i) CHECK_OK(Write(pipes[0]->a, std::to_string(i)));
      }
    });
    for (int i = 0; i < kMessages; ++i) CHECK_EQ(ReadText(pipes[2]->b), std::to_string(i));
    CHECK_STATE(pipes[2]->b, kSignalWritable, kOpen);
  }
}

TEST(fusing_while_a_far_end_closes_is_noticed) {
  std::optional<Pipe> left, right;
  Race(
      3'000,
      [&] {
        if (right) {
          CHECK_EQ(ReadText(right->b), "x");
          CHECK_STATE(right->b, kSignalPeerClosed, kSignalPeerClosed);
        }
        left.emplace();
        right.emplace();
        CHECK_OK(Write(left->a, "x"));
      },
      [&] { CHECK_OK(Fuse(left->b, right->a)); }, [&] { CHECK_OK(left->a.Close()); });
}

TEST(two_fusions_of_one_end_have_one_winner) {
  std::optional<Pipe> left, first, second;
  Result one, other;
  Race(
      3'000,
      [&] {
        if (left) {
          CHECK((one == Result::kOk) != (other == Result::kOk));
          const Pipe& winner = one == Result::kOk ? *first : *second;
          CHECK_OK(Write(left->a, "x"));
          CHECK_EQ(ReadText(winner.b), "x");
        }
        left.emplace();
        first.emplace();
        second.emplace();
        one = other = Result::kUnknown;
      },
      [&] { one = Fuse(left->b, first->a); }, [&] { other = Fuse(second->a, left->b); });
}

TEST(a_wait_at_a_far_end_survives_the_fusion) {
  for (int round = 0; round < 300; ++round) {
    Pipe left, right;
    std::atomic<bool> added{false};
    Blocker sleeper([&] {
      Waiter waiter;
      CHECK_OK(waiter.Add(right.b.get(), right.b.value(), kSignalReadable));
      added = true;
      CHECK_OK(waiter.Wait(kNever));
      CHECK_OK(waiter.result());
    });
    while (!added) sched_yield();
    std::thread writer([&] { CHECK_OK(Write(left.a, "x")); });
    CHECK_OK(Fuse(left.b, right.a));
    writer.join();
    sleeper.Join();
    CHECK_EQ(ReadText(right.b), "x");
  }
}

}  // namespace mojo_seq::testing::message_pipe_fuse_test
