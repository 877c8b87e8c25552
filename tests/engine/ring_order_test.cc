// Everything that a pipe carries, mixed, between two real processes that write and read at the same time:
// small messages through the ring, large ones, batches, handles, memory. Once each, and in order. System
// rules §4.1, §13.1.

#include <algorithm>

#include "check.h"
#include "children.h"
#include "platform_handles.h"
#include "quick.h"
#include "random.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::ring_order_test {

constexpr uint64_t kCount = 3'000;

// What message number `i` of a side is, so that both processes know.
struct Item {
  Item(uint64_t side, uint64_t i) : seed(2 * i + side) {
    Random random(seed);
    const size_t kind = random.Below(40);
    handles = kind < 4 ? 1 + kind % 3 : 0;
    nbytes = random.Below(kind == 5   ? 200'000  // in memory of its own
                          : kind == 6 ? 20'000
                          : kind < 10 ? kMostInRing + 2
                                      : 200);
    batched = handles == 0 && random.OneIn(3);
  }
  std::string text() const { return Pattern(nbytes, seed); }

  uint64_t seed;
  size_t handles;
  size_t nbytes;
  bool batched;  // together with those after it, for which that also holds
};

void WriteWithHandles(const PipeEnd& end, const Item& item) {
  Pipe carried;
  CHECK_OK(Write(carried.a, std::to_string(item.seed)));
  const FileHandle file = NumberedFile(item.seed);
  std::vector<Attached> handles = {carried.b};
  if (item.handles > 1) handles.emplace_back(file);
  CHECK_OK(Write(end, item.text(), handles));
}

void WriteAll(const PipeEnd& end, uint64_t side) {
  Random random(side);
  for (uint64_t i = 0; i < kCount;) {
    const Item item(side, i);
    if (item.handles > 0) {
      WriteWithHandles(end, item);
      ++i;
    } else if (!item.batched) {
      CHECK_OK(WriteEither(end, item.text()));
      ++i;
    } else {
      std::vector<std::string> texts;
      for (; i < kCount && Item(side, i).batched; ++i) texts.push_back(Item(side, i).text());
      const auto fits = [](const std::string& text) { return text.size() <= kMostInRing; };
      if (std::all_of(texts.begin(), texts.end(), fits) &&
          WriteQuickly(end, texts) == Result::kOk) {
        continue;
      }
      MessageList batch;
      for (const std::string& text : texts) batch.Push(MakeMessage(text).release());
      ApiCall call;
      CHECK_OK(end->WriteBatch(end.value(), &batch));
    }
    if (random.OneIn(200)) usleep(static_cast<useconds_t>(random.Below(2'000)));  // the other sleeps
  }
}

void CheckMessage(const Item& item, Message* message) {
  CHECK(TextOf(*message) == item.text());
  const std::vector<Ref<Dispatcher>> handles = TakeDispatchers(*message);
  CHECK_EQ(handles.size(), std::min<size_t>(item.handles, 2));
  if (handles.empty()) return;
  const PipeEnd carried = Receive<MessagePipeEndpoint>(handles[0]);
  CHECK_EQ(AwaitText(carried), std::to_string(item.seed));
  if (handles.size() > 1) CHECK_EQ(NumberOf(handles[1]), item.seed);
}

void ReadAll(const PipeEnd& end, uint64_t side) {
  Random random(side + 2);
  std::string text;
  for (uint64_t i = 0; i < kCount;) {
    if (random.OneIn(2) && ReadQuickly(end, &text)) {
      const Item item(side, i++);
      CHECK_EQ(item.handles, 0u);
      CHECK(text == item.text());
    } else if (random.OneIn(2)) {
      MessageList batch;
      {
        ApiCall call;
        const size_t most = std::min<uint64_t>(1 + random.Below(20), kCount - i);
        end->ReadBatch(end.value(), most, &batch);
      }
      while (Message* const next = batch.Pop()) {
        const OwnedMessage message(next);
        CheckMessage(Item(side, i++), message.get());
      }
    } else {
      OwnedMessage message;
      CHECK_OK(AwaitRead(end, &message));
      CheckMessage(Item(side, i++), message.get());
    }
    if (random.OneIn(200)) usleep(static_cast<useconds_t>(random.Below(2'000)));  // the ring is full
  }
}

void Exchange(const PipeEnd& end, uint64_t side) {
  RunTogether(2, [&](size_t thread) {
    if (thread == 0) {
      WriteAll(end, side);
    } else {
      ReadAll(end, 1 - side);
    }
  });
}

void ExchangeWithChild() {
  const WithRings with(RingMode::kAtOnce);
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    Exchange(end, 1);
    CHECK_EQ(AwaitText(end), "over");
  });
  const PipeEnd end = child.TakePipe();
  Exchange(end, 0);
  CHECK_OK(Write(end, "over"));
  CHECK_EQ(child.Wait(), 0);
}

TEST(all_kinds_of_messages_are_in_one_order) { ExchangeWithChild(); }

TEST(they_are_while_rings_come_and_go) {
  const WithIdleTime soon(200'000);
  ExchangeWithChild();
}

}  // namespace mojo_seq::testing::ring_order_test
