// Channel: one end of a socket. What the kernel does not take at once is queued, and nothing is
// reordered, lost or cut, wherever the kernel cuts it.

#include "channel.h"

#include <sys/resource.h>

#include "channels.h"
#include "check.h"
#include "children.h"
#include "descriptors.h"
#include "io_thread.h"
#include "random.h"
#include "rings.h"

namespace mojo_seq::testing::channel_test {

const std::vector<size_t> kSizes = {0,      1,      31,     32,      4'063,   4'064,  4'065,  4'095,
                                    4'096,  4'097,  32'735, 32'736,  32'768,  32'769, 65'503, 65'504,
                                    65'535, 65'536, 65'537, 1 << 20, (1 << 20) + 1};

// --- order, boundaries, contents ---

TEST(messages_of_every_size_arrive_as_they_were_sent) {
  for (int buffer : {0, kTinyBuffer}) {
    ChannelPair pair(buffer);
    for (size_t i = 0; i < kSizes.size(); ++i) {
      CHECK_OK(Send(pair.a.get(), Pattern(kSizes[i], i)));
    }
    const std::vector<InFrame> frames = Transfer(pair.a.get(), pair.b.get(), kSizes.size());
    for (size_t i = 0; i < kSizes.size(); ++i) CHECK(TextOf(frames[i]) == Pattern(kSizes[i], i));
  }
}

TEST(every_pair_of_sizes) {
  for (size_t first : kSizes) {
    if (first > 100'000) continue;
    for (size_t second : kSizes) {
      if (second > 100'000) continue;
      ChannelPair pair;
      CHECK_OK(Send(pair.a.get(), Pattern(first, 1)));
      CHECK_OK(SendFrames(pair.a.get(), MakeFrames(Pattern(second, 2), 1)));
      CHECK_OK(Send(pair.a.get(), Pattern(first, 3)));
      const std::vector<InFrame> frames = Transfer(pair.a.get(), pair.b.get(), 3);
      CHECK(TextOf(frames[0]) == Pattern(first, 1));
      CHECK(TextOf(frames[1]) == Pattern(second, 2));
      CHECK(TextOf(frames[2]) == Pattern(first, 3));
    }
  }
}

TEST(messages_with_any_number_of_descriptors) {
  for (int buffer : {0, kTinyBuffer}) {
    ChannelPair pair(buffer);
    const std::vector<size_t> counts = {0, 1, 252, 253, 254, 506, 507, 600};
    size_t sent = 0;
    for (size_t count : counts) {
      for (size_t size : {0, 100, 70'000}) {
        CHECK_OK(SendFrames(pair.a.get(), MakeFrames(Pattern(size, count), count)));
        CHECK_OK(Send(pair.a.get(), "between"));
        sent += 2;
      }
    }
    const std::vector<InFrame> frames = Transfer(pair.a.get(), pair.b.get(), sent);
    size_t next = 0;
    for (size_t count : counts) {
      for (size_t size : {0, 100, 70'000}) {
        CHECK_EQ(frames[next].descriptors.size(), count);
        CHECK(TextOf(frames[next++]) == Pattern(size, count));
        CHECK(frames[next].descriptors.empty());
        CHECK(TextOf(frames[next++]) == "between");
      }
    }
  }
}

TEST(batches_keep_order_and_boundaries) {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    ChannelPair pair(random.OneIn(2) ? kTinyBuffer : 0);
    std::vector<std::string> sent;
    for (size_t batch = 1 + random.Below(4); batch-- > 0;) {
      std::vector<std::string> texts;
      for (size_t i = random.Below(200); i-- > 0;) {
        const size_t most = random.OneIn(20) ? 100'000 : random.OneIn(5) ? 5'000 : 100;
        texts.push_back(Pattern(random.Below(most), random.Next()));
      }
      CHECK_OK(SendBatch(pair.a.get(), texts));
      sent.insert(sent.end(), texts.begin(), texts.end());
      sent.push_back("single");
      CHECK_OK(Send(pair.a.get(), "single"));
    }
    const std::vector<InFrame> frames = Transfer(pair.a.get(), pair.b.get(), sent.size());
    for (size_t i = 0; i < sent.size(); ++i) CHECK(TextOf(frames[i]) == sent[i]);
  }
}

TEST(a_sender_that_says_one_byte_at_a_time) {
  SocketPair sockets;
  auto channel = MakeChannel(std::move(sockets.b));
  ByteVector bytes = PlainFrame(Pattern(300, 1));
  Append(&bytes, PlainFrame(""));
  Append(&bytes, PlainFrame(Pattern(4'200, 2)));
  std::vector<InFrame> all;
  for (uint8_t byte : bytes) {
    CHECK_EQ(SendRaw(sockets.a.get(), &byte, 1), 1);
    std::vector<InFrame> frames;
    const Result result = Receive(channel.get(), &frames);
    CHECK_EQ(result, frames.empty() ? Result::kShouldWait : Result::kOk);
    for (InFrame& frame : frames) all.push_back(std::move(frame));
  }
  CHECK_EQ(all.size(), 3u);
  CHECK(TextOf(all[0]) == Pattern(300, 1));
  CHECK(TextOf(all[2]) == Pattern(4'200, 2));
}

TEST(a_message_with_descriptors_whose_body_comes_one_byte_at_a_time) {
  SocketPair sockets;
  auto channel = MakeChannel(std::move(sockets.b));
  const ScopedFd null = DevNull();
  for (size_t round = 0; round < 3; ++round) {
    const ByteVector bytes = MetaFrame(ByteVector(20, 'm'), 2, Pattern(40, round));
    const ByteVector header(bytes.begin(), bytes.begin() + sizeof(FrameHeader));
    std::vector<InFrame> frames;
    SendAllRaw(sockets.a.get(), header, {null.get(), null.get()});
    for (size_t i = sizeof(FrameHeader); i < bytes.size(); ++i) {
      CHECK_EQ(Receive(channel.get(), &frames), Result::kShouldWait);
      CHECK_EQ(SendRaw(sockets.a.get(), &bytes[i], 1), 1);
    }
    CHECK_OK(Receive(channel.get(), &frames));
    CHECK_EQ(frames.size(), 1u);
    CHECK_EQ(frames[0].descriptors.size(), 2u);
    CHECK(TextOf(frames[0]) == Pattern(40, round));
  }
}

TEST(both_directions_at_once) {
  ChannelPair pair(kTinyBuffer);
  for (int i = 0; i < 50; ++i) {
    CHECK_OK(Send(pair.a.get(), Pattern(3'000, 2 * i)));
    CHECK_OK(Send(pair.b.get(), Pattern(3'000, 2 * i + 1)));
  }
  const std::vector<InFrame> at_b = Transfer(pair.a.get(), pair.b.get(), 50);
  const std::vector<InFrame> at_a = Transfer(pair.b.get(), pair.a.get(), 50);
  for (int i = 0; i < 50; ++i) {
    CHECK(TextOf(at_b[i]) == Pattern(3'000, 2 * i));
    CHECK(TextOf(at_a[i]) == Pattern(3'000, 2 * i + 1));
  }
}

// --- what is unsent ---

TEST(what_the_kernel_does_not_take_is_counted_in_messages) {
  ChannelPair pair(kTinyBuffer);
  CHECK_EQ(pair.a->unsent(), 0u);
  size_t sent = 0;
  while (pair.a->unsent() == 0) {
    CHECK_OK(Send(pair.a.get(), Pattern(1'000, sent)));
    ++sent;
  }
  CHECK(!pair.a->is_refused());
  CHECK_EQ(pair.a->unsent(), 1u);
  CHECK_EQ(Flush(pair.a.get()), Result::kShouldWait);
  CHECK_OK(Send(pair.a.get(), ""));
  CHECK_EQ(pair.a->unsent(), 2u);
  CHECK_OK(SendBatch(pair.a.get(), {"x", "y", "z"}));
  CHECK_EQ(pair.a->unsent(), 5u);
  Transfer(pair.a.get(), pair.b.get(), sent + 4);
  CHECK_EQ(pair.a->unsent(), 0u);
}

TEST(what_is_unsent_can_be_sent_by_another_channel_wherever_it_was_cut) {
  // As when an end moves: what was begun, what was not, with descriptors and without.
  Random random(2);
  for (int round = 0; round < 40; ++round) {
    SocketPair sockets(kTinyBuffer);
    const int fd = sockets.a.get();
    auto to = MakeChannel(std::move(sockets.b));
    auto from = MakeChannel(Duplicate(fd));
    std::vector<std::pair<std::string, size_t>> sent;
    std::vector<InFrame> all;
    for (int i = 0; i < 30; ++i) {
      sent.emplace_back(Pattern(random.Below(6'000), random.Next()),
                        random.OneIn(3) ? random.Below(300) : 0);
      CHECK_OK(SendFrames(from.get(), MakeFrames(sent.back().first, sent.back().second)));
      if (random.OneIn(2)) {
        std::vector<InFrame> frames;
        Receive(to.get(), &frames);
        for (InFrame& frame : frames) all.push_back(std::move(frame));
        Flush(from.get());
      }
      if (random.OneIn(3)) {
        auto next = MakeChannel(Duplicate(fd));
        Channel::Guard old_guard(from->send_mutex());
        Channel::Guard guard(next->send_mutex());
        for (OutFrame& frame : from->TakeUnsent()) next->Queue(std::move(frame));
        CHECK_EQ(from->unsent(), 0u);
        std::swap(from, next);
      }
    }
    for (InFrame& frame : Transfer(from.get(), to.get(), sent.size() - all.size())) {
      all.push_back(std::move(frame));
    }
    for (size_t i = 0; i < sent.size(); ++i) {
      CHECK(TextOf(all[i]) == sent[i].first);
      CHECK_EQ(all[i].descriptors.size(), sent[i].second);
    }
  }
}

TEST(descriptors_are_let_go_of_once_they_are_sent) {
  const WithRings with(RingMode::kNever);  // a ring has some of its own
  ChannelPair pair(kTinyBuffer);
  const size_t before = OpenDescriptors().size();
  CHECK_OK(SendFrames(pair.a.get(), MakeFrames(Pattern(50'000, 1), 3)));
  CHECK_EQ(pair.a->unsent(), 1u);  // begun, so they are in the kernel
  CHECK_EQ(OpenDescriptors().size(), before);
  CHECK_OK(SendFrames(pair.a.get(), MakeFrames("x", 3)));
  CHECK_EQ(OpenDescriptors().size(), before + 1);  // three of one file
}

// --- the other end is gone ---

TEST(sending_to_nobody_fails_and_keeps_nothing) {
  ChannelPair pair;
  pair.b = nullptr;
  CHECK_EQ(Send(pair.a.get(), "x"), Result::kFailedPrecondition);
  CHECK_EQ(SendBatch(pair.a.get(), {"x", "y"}), Result::kFailedPrecondition);
  CHECK_EQ(SendBatch(pair.a.get(), {Pattern(10'000, 1)}), Result::kFailedPrecondition);
  CHECK_EQ(SendFrames(pair.a.get(), MakeFrames("x", 300)), Result::kFailedPrecondition);
  CHECK_EQ(pair.a->unsent(), 0u);
}

TEST(what_is_queued_is_dropped_when_the_other_end_goes) {
  ChannelPair pair(kTinyBuffer);
  for (int i = 0; i < 100; ++i) CHECK_OK(Send(pair.a.get(), Pattern(1'000, i)));
  CHECK(pair.a->unsent() > 50);
  pair.b = nullptr;
  CHECK_EQ(Flush(pair.a.get()), Result::kFailedPrecondition);
  CHECK_EQ(pair.a->unsent(), 0u);
  CHECK_EQ(Send(pair.a.get(), "x"), Result::kFailedPrecondition);
}

TEST(what_was_sent_before_the_end_is_received_before_it) {
  for (bool unread : {false, true}) {
    // With something unread at its side, the kernel says "reset by peer" first.
    ChannelPair pair;
    if (unread) CHECK_OK(Send(pair.b.get(), "never read"));
    for (int i = 0; i < 20; ++i) CHECK_OK(Send(pair.a.get(), Pattern(5'000, i)));
    pair.a = nullptr;
    std::vector<InFrame> all;
    Result result;
    do {
      std::vector<InFrame> frames;
      result = Receive(pair.b.get(), &frames);
      for (InFrame& frame : frames) all.push_back(std::move(frame));
    } while (result == Result::kOk);
    CHECK_EQ(result, Result::kFailedPrecondition);
    CHECK_EQ(all.size(), 20u);
    for (int i = 0; i < 20; ++i) CHECK(TextOf(all[i]) == Pattern(5'000, i));
    std::vector<InFrame> frames;
    CHECK_EQ(Receive(pair.b.get(), &frames), Result::kFailedPrecondition);  // for ever
  }
}

// --- its owner closes it ---

void CloseOwner(Ref<Channel>& channel) {
  const Ref<Channel> closed = std::move(channel);
  closed->OnOwnerClosed();
}

TEST(a_closed_channel_sends_what_it_has) {
  ChannelPair pair(kTinyBuffer);
  for (int i = 0; i < 100; ++i) CHECK_OK(Send(pair.a.get(), Pattern(1'000, i)));
  CloseOwner(pair.a);
  std::vector<InFrame> all;
  for (Result result = Result::kOk; result != Result::kFailedPrecondition;) {
    std::vector<InFrame> frames;
    result = Receive(pair.b.get(), &frames);
    for (InFrame& frame : frames) all.push_back(std::move(frame));
    if (result == Result::kShouldWait) PollSocket(pair.b->fd(), POLLIN);
    CHECK(result != Result::kAborted);
  }
  CHECK_EQ(all.size(), 100u);
  for (int i = 0; i < 100; ++i) CHECK(TextOf(all[i]) == Pattern(1'000, i));
}

TEST(a_closed_channel_ends_when_nobody_will_read) {
  ChannelPair pair(kTinyBuffer);
  for (int i = 0; i < 100; ++i) CHECK_OK(Send(pair.a.get(), Pattern(1'000, i)));
  CloseOwner(pair.a);
  CHECK_EQ(IoThread::Get().Flush(Now()).pipes, 1u);
  CHECK(LiveCount(Kind::kChannel) == 2);
  pair.b = nullptr;
  Until([] { return LiveCount(Kind::kChannel) == 0; });
  CHECK_EQ(IoThread::Get().Flush(Now() + kSoon).pipes, 0u);
}

TEST(a_closed_channel_with_nothing_to_send_hangs_up_at_once) {
  ChannelPair pair;
  const Ref<SharedFd> polled = pair.a->shared_fd();  // somebody who still waits
  CloseOwner(pair.a);
  CHECK(PollSocket(pair.b->fd(), POLLRDHUP) & POLLRDHUP);
  CHECK(PollSocket(polled->fd.get(), POLLHUP) & POLLHUP);
}

TEST(nobody_need_write_to_a_channel_that_only_sends_yet) {
  ChannelPair pair(kTinyBuffer);
  for (int i = 0; i < 100; ++i) CHECK_OK(Send(pair.a.get(), Pattern(1'000, i)));
  CloseOwner(pair.a);
  CHECK_EQ(Send(pair.b.get(), "in vain"), Result::kFailedPrecondition);
  std::vector<InFrame> frames;
  CHECK_OK(Receive(pair.b.get(), &frames));  // but it reads on
}

// --- limits ---

TEST(without_room_for_descriptors_the_message_stays_where_it_is) {
  Child child([](ScopedFd) {
    ChannelPair pair;
    CHECK_OK(Send(pair.a.get(), "before"));
    CHECK_OK(SendFrames(pair.a.get(), MakeFrames(Pattern(2'000, 1), 254)));
    CHECK_OK(Send(pair.a.get(), "after"));
    CHECK(setrlimit(RLIMIT_NOFILE, std::make_unique<rlimit>(rlimit{100, 4'096}).get()) == 0);
    std::vector<InFrame> frames;
    CHECK_OK(Receive(pair.b.get(), &frames));
    CHECK_EQ(frames.size(), 1u);
    for (int i = 0; i < 3; ++i) {
      frames.clear();
      CHECK_EQ(Receive(pair.b.get(), &frames), Result::kResourceExhausted);
      CHECK(frames.empty());
    }
    CHECK(setrlimit(RLIMIT_NOFILE, std::make_unique<rlimit>(rlimit{4'096, 4'096}).get()) == 0);
    for (InFrame& frame : Transfer(pair.a.get(), pair.b.get(), 2)) {
      frames.push_back(std::move(frame));
    }
    CHECK_EQ(frames[0].descriptors.size(), 254u);
    CHECK(TextOf(frames[0]) == Pattern(2'000, 1));
    CHECK(TextOf(frames[1]) == "after");
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(too_many_descriptors_in_flight_are_only_a_delay) {
  Child child([](ScopedFd) {
    // The limit is for users without privileges.
    if (getuid() == 0) CHECK_EQ(setresuid(65'534, 65'534, 65'534), 0);
    ChannelPair pair;
    CHECK(setrlimit(RLIMIT_NOFILE, std::make_unique<rlimit>(rlimit{64, 4'096}).get()) == 0);
    size_t sent = 0;
    while (!pair.a->is_refused()) {
      CHECK(sent < 1'000);
      CHECK_OK(SendFrames(pair.a.get(), MakeFrames(std::to_string(sent++), 5)));
    }
    CHECK(pair.a->unsent() > 0);
    for (int i = 0; i < 5; ++i) {
      CHECK_OK(SendFrames(pair.a.get(), MakeFrames(std::to_string(sent++), 5)));
    }
    for (size_t next = 0; next < sent;) {
      std::vector<InFrame> frames;
      Receive(pair.b.get(), &frames);
      for (const InFrame& frame : frames) {
        CHECK_EQ(TextOf(frame), std::to_string(next++));
        CHECK_EQ(frame.descriptors.size(), 5u);
      }
      Flush(pair.a.get());
    }
    CHECK(!pair.a->is_refused());
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(a_descriptor_that_cannot_be_sent_blocks_nobody_for_ever) {
  // The program closed the file behind the back of whoever owns its number.
  ChannelPair pair;
  std::vector<OutFrame> frames = MakeFrames("with a file", 1);
  const int number = frames[0].descriptors[0]->fd.get();
  const ScopedFd copy = Duplicate(number);
  close(number);
  SendFrames(pair.a.get(), std::move(frames));
  const Result result = Send(pair.a.get(), "after");
  Flush(pair.a.get());
  // The message cannot be delivered, so nothing that follows it can: that is an end, not a delay.
  CHECK(result == Result::kFailedPrecondition || !pair.a->is_refused());
  CHECK_EQ(pair.a->unsent(), 0u);
}

}  // namespace mojo_seq::testing::channel_test
