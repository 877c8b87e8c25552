// What a full ring does not take waits, and goes through the ring as soon as there is room: nothing
// overtakes it, whichever way it goes in the end.

#include <sys/ioctl.h>

#include <algorithm>

#include "hot_channels.h"
#include "message_pipe.h"
#include "random.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::channel_queue_test {

// How long a writer waits for a reader, as long as this lives.
struct Patience {
  explicit Patience(Time time) { Channel::SetPatience(time); }
  ~Patience() { Channel::SetPatience(5'000'000); }
};

constexpr size_t kText = 1'000;
constexpr int kMoreThanFits = 2 * kRingBytes / kText;

int BytesInSocket(const Channel& channel) {
  int nbytes = -1;
  CHECK_EQ(ioctl(channel.fd(), FIONREAD, &nbytes), 0);
  return nbytes;
}

void CheckTexts(const std::vector<std::string>& texts, int first) {
  for (size_t i = 0; i < texts.size(); ++i) {
    CHECK(texts[i] == Pattern(kText, first + static_cast<int>(i)));
  }
}

// More than its ring holds: the rest waits.
void Overfill(HotPair* pair, bool batch) {
  std::vector<std::string> texts;
  for (int i = 0; i < kMoreThanFits; ++i) texts.push_back(Pattern(kText, i));
  if (batch) {
    CHECK_OK(SendBatch(pair->a.get(), texts));
  } else {
    for (const std::string& text : texts) CHECK_OK(Send(pair->a.get(), text));
  }
  CHECK(pair->a->unsent() > 0);
}

TEST(what_does_not_fit_goes_through_the_ring_later) {
  const Patience patience(kSoon);
  WithRings with(RingMode::kAtOnce);
  for (const bool batch : {true, false}) {
    HotPair pair;
    Overfill(&pair, batch);
    CHECK(pair.a->awaits_room());
    CHECK_EQ(Flush(pair.a.get()), Result::kShouldWait);
    int received = 0;
    while (received < kMoreThanFits) {
      CHECK_EQ(BytesInSocket(*pair.b), 0);
      const std::vector<std::string> texts = ReceiveTexts(pair.b.get());
      CheckTexts(texts, received);
      received += static_cast<int>(texts.size());
      Flush(pair.a.get());
    }
    CHECK_EQ(pair.a->unsent(), 0u);
    CHECK(!pair.a->awaits_room());
  }
}

TEST(who_writes_moves_what_waits) {
  const Patience patience(kSoon);
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  Overfill(&pair, true);
  int received = 0;
  int sent = kMoreThanFits;
  while (pair.a->unsent() > 0) {
    const std::vector<std::string> texts = ReceiveTexts(pair.b.get());
    CHECK(!texts.empty());
    CheckTexts(texts, received);
    received += static_cast<int>(texts.size());
    CHECK_OK(Send(pair.a.get(), Pattern(kText, sent++)));
  }
  while (received < sent) {
    const std::vector<std::string> texts = ReceiveTexts(pair.b.get());
    CheckTexts(texts, received);
    received += static_cast<int>(texts.size());
  }
  CHECK_EQ(BytesInSocket(*pair.b), 0);
}

TEST(what_waits_keeps_its_place_among_others) {
  const Patience patience(kSoon);
  WithRings with(RingMode::kAtOnce);
  for (int buffer : {0, kTinyBuffer}) {
    HotPair pair(buffer);
    Random random(3);
    std::vector<std::string> sent;
    while (sent.size() < 2'000) {
      sent.push_back(Pattern(random.Below(600), random.Below(100)));
      switch (random.Below(20)) {
        case 0:
          sent.back() = Pattern(10'000, 1);
          CHECK_OK(Send(pair.a.get(), sent.back()));
          break;
        case 1: CHECK_OK(SendFrames(pair.a.get(), MakeFrames(sent.back(), 2))); break;
        case 2: {
          sent.push_back(Pattern(5'000, 2));
          sent.push_back("last of the batch");
          CHECK_OK(SendBatch(pair.a.get(), {sent.end() - 3, sent.end()}));
          break;
        }
        default: CHECK_OK(Send(pair.a.get(), sent.back()));
      }
    }
    CHECK(pair.a->unsent() > 0);
    CHECK(Texts(Transfer(pair.a.get(), pair.b.get(), sent.size())) == sent);
  }
}

TEST(a_reader_that_does_not_read_gets_it_through_the_socket) {
  WithRings with(RingMode::kAtOnce);
  const Patience patience(kSoon);
  HotPair pair;
  Overfill(&pair, true);
  Channel::SetPatience(0);
  Flush(pair.a.get());
  CHECK(!pair.a->awaits_room());
  CHECK(BytesInSocket(*pair.b) > 0);
  const std::vector<std::string> texts =
      Texts(Transfer(pair.a.get(), pair.b.get(), kMoreThanFits));
  CheckTexts(texts, 0);
}

TEST(a_reader_that_sleeps_is_woken_by_what_waited) {
  const Patience patience(kSoon);
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  Overfill(&pair, true);
  const size_t received = ReceiveTexts(pair.b.get()).size();
  CHECK(!pair.b->Arm());
  CHECK_EQ(BytesInSocket(*pair.b), 0);
  Flush(pair.a.get());
  CHECK(BytesInSocket(*pair.b) > 0);  // the bell
  CheckTexts(ReceiveTexts(pair.b.get()), static_cast<int>(received));
}

TEST(a_reader_that_is_gone_is_noticed) {
  WithRings with(RingMode::kAtOnce);
  for (const bool orderly : {true, false}) {
    const Patience patience(kSoon);
    HotPair pair;
    Overfill(&pair, true);
    Channel::SetPatience(0);
    if (orderly) pair.b->OnOwnerClosed();
    pair.b = nullptr;
    const Time deadline = Now() + kSoon;
    Result result;
    do {
      CHECK(Now() < deadline);
      result = Flush(pair.a.get());
    } while (result == Result::kShouldWait);
    CHECK_EQ(result, Result::kFailedPrecondition);
    CHECK_EQ(pair.a->unsent(), 0u);
  }
}

// By whole pipes, whose I/O thread does the rest when nobody writes any more.
TEST(all_arrives_though_the_reader_pauses) {
  WithRings with(RingMode::kAtOnce);
  for (int buffer : {0, kTinyBuffer}) {
    constexpr int kMessages = 30'000;
    RemotePipe pipe(buffer);
    RunTogether(2, [&](size_t thread) {
      Random random(thread);
      if (thread == 0) {
        for (int i = 0; i < kMessages;) {
          if (random.OneIn(3)) {
            MessageList batch;
            for (size_t n = 1 + random.Below(60); n > 0 && i < kMessages; --n) {
              const std::string text = std::to_string(i++) + std::string(random.Below(200), ' ');
              batch.Push(MakeMessage(text).release());
            }
            ApiCall call;
            CHECK_OK(pipe.a->WriteBatch(pipe.a.value(), &batch));
          } else {
            const size_t more = random.Below(random.OneIn(100) ? 6'000 : 200);
            CHECK_OK(Write(pipe.a, std::to_string(i++) + std::string(more, ' ')));
          }
        }
        CHECK_OK(pipe.a.Close());
      } else {
        int next = 0;
        for (;; ++next) {
          OwnedMessage message;
          Result result;
          while ((result = Read(pipe.b, &message)) == Result::kShouldWait) {
            Await(pipe.b, kSignalReadable);
          }
          if (result == Result::kFailedPrecondition) break;
          CHECK_OK(result);
          CHECK_EQ(std::stoi(TextOf(*message)), next);
          if (random.OneIn(3'000)) {  // longer than a writer waits for it
            const Time end = Now() + random.Below(8'000'000);
            while (Now() < end) continue;
          }
        }
        CHECK_EQ(next, kMessages);
      }
    });
  }
}

}  // namespace mojo_seq::testing::channel_queue_test
