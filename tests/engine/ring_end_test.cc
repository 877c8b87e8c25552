// Pipes with rings whose other process ends, at any moment: what came is a prefix of what was written,
// all that the writer was told had gone is there, and the end is noticed. System rules §13.

#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "check.h"
#include "children.h"
#include "quick.h"
#include "random.h"
#include "sockets.h"

namespace mojo_seq::testing::ring_end_test {

// A number that two processes see.
struct SharedNumber {
  SharedNumber()
      : value(static_cast<std::atomic<uint64_t>*>(mmap(
            nullptr, 4'096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    CHECK(value != MAP_FAILED);
  }
  ~SharedNumber() { munmap(value, 4'096); }
  std::atomic<uint64_t>* const value;
};

std::string Numbered(uint64_t i) { return Pattern(i % 31 == 30 ? 6'000 : i * 7 % 300, i); }

void KillLater(const Child& child, Random* random) {
  usleep(static_cast<useconds_t>(random->Below(4'000)));
  child.Kill();
}

TEST(a_writer_is_killed) {
  const WithRings with(RingMode::kAtOnce);
  Random random(1);
  for (int round = 0; round < 40; ++round) {
    SharedNumber written;
    Child child([&](ScopedFd socket) {
      const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
      for (uint64_t i = 0;; ++i) {
        CHECK_OK(Write(end, Numbered(i)));
        while (end->Unsent() > 0) usleep(50);  // that much it would lose with itself
        *written.value = i + 1;
      }
    });
    const PipeEnd end = child.TakePipe();
    std::thread killer([&] { KillLater(child, &random); });
    uint64_t count = 0;
    OwnedMessage message;
    while (AwaitRead(end, &message) == Result::kOk) CHECK(TextOf(*message) == Numbered(count++));
    killer.join();
    CHECK(count >= *written.value);
    CHECK(count <= *written.value + 1);
    CHECK_EQ(Write(end, "x"), Result::kFailedPrecondition);
  }
}

TEST(a_writer_of_batches_is_killed) {
  // Straight into the ring, many at once; rings come and go meanwhile.
  const WithRings with(RingMode::kAtOnce);
  const WithIdleTime soon(300'000);
  Random random(4);
  for (int round = 0; round < 40; ++round) {
    SharedNumber written;
    Child child([&](ScopedFd socket) {
      Random sizes(round);
      const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
      for (uint64_t i = 0;;) {
        std::vector<std::string> texts;
        for (size_t n = 1 + sizes.Below(20); n > 0; --n, ++i) texts.push_back(Pattern(i % 300, i));
        if (WriteQuickly(end, texts) != Result::kOk) {
          MessageList batch;
          for (const std::string& text : texts) batch.Push(MakeMessage(text).release());
          ApiCall call;
          CHECK_OK(end->WriteBatch(end.value(), &batch));
          while (end->Unsent() > 0) usleep(50);  // that much it would lose with itself
        }
        *written.value = i;
        if (sizes.OneIn(100)) usleep(static_cast<useconds_t>(sizes.Below(1'500)));
      }
    });
    const PipeEnd end = child.TakePipe();
    std::thread killer([&] { KillLater(child, &random); });
    uint64_t count = 0;
    std::string text;
    for (;;) {
      Result result = ReadEither(end, &text);
      if (result == Result::kShouldWait) {
        Await(end, kSignalReadable);
      } else if (result == Result::kOk) {
        CHECK(text == Pattern(count % 300, count));
        ++count;
      } else {
        break;
      }
    }
    killer.join();
    CHECK(count >= *written.value);
    CHECK_STATE(end, kSignalPeerClosed, kSignalPeerClosed);
  }
}

TEST(a_reader_is_killed) {
  const WithRings with(RingMode::kAtOnce);
  Random random(2);
  for (int round = 0; round < 40; ++round) {
    Child child([&](ScopedFd socket) {
      const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
      for (uint64_t i = 0;; ++i) CHECK(AwaitText(end) == Numbered(i));
    });
    const PipeEnd end = child.TakePipe();
    std::thread killer([&] { KillLater(child, &random); });
    uint64_t count = 0;
    for (;; ++count) {
      const Result result = Write(end, Numbered(count));
      if (result == Result::kFailedPrecondition) break;
      CHECK_OK(result);
      while (end->Unsent() > 100) usleep(50);
    }
    killer.join();
    CHECK(Await(end, kSignalPeerClosed));
  }
}

TEST(one_who_answers_is_killed) {
  const WithRings with(RingMode::kAtOnce);
  Random random(3);
  for (int round = 0; round < 40; ++round) {
    Child child([&](ScopedFd socket) {
      const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
      for (uint64_t i = 0;; ++i) {
        CHECK(AwaitText(end) == Numbered(i));
        CHECK_OK(Write(end, Numbered(i)));
      }
    });
    const PipeEnd end = child.TakePipe();
    std::thread killer([&] { KillLater(child, &random); });
    OwnedMessage message;
    for (uint64_t i = 0; Write(end, Numbered(i)) == Result::kOk; ++i) {
      if (AwaitRead(end, &message) != Result::kOk) break;
      CHECK(TextOf(*message) == Numbered(i));
    }
    killer.join();
    CHECK_EQ(AwaitRead(end, &message), Result::kFailedPrecondition);
  }
}

TEST(whoever_knows_of_the_end_is_told_so_at_once) {
  // The reader has just read, which is a sign of life of the past.
  const WithRings with(RingMode::kAtOnce);
  for (int round = 0; round < 10; ++round) {
    Child child([&](ScopedFd socket) {
      const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
      for (uint64_t i = 0; i < 20; ++i) {
        CHECK(AwaitText(end) == Numbered(i));
        CHECK_OK(Write(end, "read"));
      }
      pause();
    });
    const PipeEnd end = child.TakePipe();
    for (uint64_t i = 0; i < 20; ++i) {
      CHECK_OK(Write(end, Numbered(i)));
      CHECK_EQ(AwaitText(end), "read");
    }
    child.Kill();
    CHECK_EQ(child.Wait(), -SIGKILL);
    CHECK_EQ(Write(end, "x"), Result::kFailedPrecondition);
  }
}

TEST(what_was_written_before_closing_is_read) {
  const WithRings with(RingMode::kAtOnce);
  for (const int buffer : {0, kTinyBuffer}) {
    RemotePipe pipe(buffer);
    for (uint64_t i = 0; i < 10; ++i) {
      CHECK_OK(Write(pipe.a, Numbered(i)));
      CHECK(AwaitText(pipe.b) == Numbered(i));
    }
    for (uint64_t i = 0; i < 2'000; ++i) CHECK_OK(Write(pipe.a, Numbered(i)));
    CHECK_OK(pipe.a.Close());
    for (uint64_t i = 0; i < 2'000; ++i) CHECK(AwaitText(pipe.b) == Numbered(i));
    OwnedMessage message;
    CHECK_EQ(AwaitRead(pipe.b, &message), Result::kFailedPrecondition);
  }
}

}  // namespace mojo_seq::testing::ring_end_test
