// Ends that leave, come home and close while other threads write to them, read them, wait for them
// and the I/O thread sends what they have. Everything written arrives, once and in order.

#include <algorithm>
#include <optional>

#include "check.h"
#include "data_pipes.h"
#include "io_thread.h"
#include "message_pipe.h"
#include "platform_handles.h"
#include "random.h"
#include "slots.h"
#include "sockets.h"
#include "threads.h"
#include "watchers.h"

namespace mojo_seq::testing::message_pipe_remote_stress_test {

// Reads numbered messages; each must be the next.
struct Counter {
  // False: it is drained and closed.
  bool ReadSome(const PipeEnd& end) {
    for (;;) {
      OwnedMessage message;
      const Result result = Read(end, &message);
      if (result == Result::kFailedPrecondition) return false;
      if (result != Result::kOk) return true;
      CHECK_EQ(TextOf(*message).substr(0, 8), Number(next));
      ++next;
    }
  }
  static std::string Number(int number) {
    std::string text = std::to_string(number);
    return text + std::string(8 - text.size(), ' ');
  }
  int next = 0;
};

std::string Numbered(int number, size_t more) {
  return Counter::Number(number) + std::string(more, 'x');
}

TEST(an_end_leaves_while_its_peer_is_written_to) {
  for (int buffer : {0, kTinyBuffer}) {
    constexpr int kMessages = 20'000;
    Pipe pipe;
    RemotePipe carrier(buffer);
    PipeEnd end = std::move(pipe.b);
    std::thread writer([&] {
      Random random(1);
      for (int i = 0; i < kMessages; ++i) {
        CHECK_OK(Write(pipe.a, Numbered(i, random.Below(random.OneIn(50) ? 5'000 : 50))));
      }
      CHECK_OK(pipe.a.Close());
    });
    Counter counter;
    Random random(2);
    while (counter.ReadSome(end)) {
      CHECK_OK(Write(carrier.a, "", {end}));
      end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
      if (random.OneIn(20)) Await(end, kSignalReadable | kSignalPeerClosed);
    }
    CHECK_EQ(counter.next, kMessages);
    writer.join();
  }
}

TEST(both_ends_travel_while_both_are_written_to) {
  constexpr int kMessages = 4'000;
  for (const bool remote : {false, true}) {
    std::vector<PipeEnd> ends;
    if (remote) {
      RemotePipe pipe(kTinyBuffer);
      ends.push_back(std::move(pipe.a));
      ends.push_back(std::move(pipe.b));
    } else {
      Pipe pipe;
      ends.push_back(std::move(pipe.a));
      ends.push_back(std::move(pipe.b));
    }
    RunTogether(2, [&](size_t thread) {
      PipeEnd& end = ends[thread];
      RemotePipe carrier(kTinyBuffer);
      Random random(thread);
      Counter counter;
      int written = 0;
      while (written < kMessages || counter.next < kMessages) {
        for (size_t i = random.Below(30); i > 0 && written < kMessages; --i) {
          CHECK_OK(Write(end, Numbered(written++, random.Below(300))));
        }
        CHECK(counter.ReadSome(end));
        if (!random.OneIn(3)) {
          CHECK_OK(Write(carrier.a, "", {end}));
          end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
        } else if (written == kMessages && counter.next < kMessages) {
          Await(end, kSignalReadable);
        }
      }
    });
  }
}

TEST(many_writers_to_the_peer_of_an_end_that_leaves) {
  constexpr size_t kWriters = 3, kEach = 3'000;
  Pipe pipe;
  RemotePipe carrier(kTinyBuffer);
  PipeEnd end = std::move(pipe.b);
  std::vector<size_t> next(kWriters);
  size_t read = 0;
  RunTogether(kWriters + 1, [&](size_t thread) {
    if (thread < kWriters) {
      for (size_t i = 0; i < kEach; ++i) {
        if (i % 10 == 0) {
          MessageList batch;
          batch.Push(MakeMessage(std::to_string(thread * kEach + i)).release());
          ApiCall call;
          CHECK_OK(pipe.a->WriteBatch(pipe.a.value(), &batch));
        } else {
          CHECK_OK(Write(pipe.a, std::to_string(thread * kEach + i)));
        }
      }
      return;
    }
    while (read < kWriters * kEach) {
      OwnedMessage message;
      while (Read(end, &message) == Result::kOk) {
        const size_t number = std::stoul(TextOf(*message));
        CHECK_EQ(number % kEach, next[number / kEach]++);
        ++read;
      }
      CHECK_OK(Write(carrier.a, "", {end}));
      end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    }
  });
}

TEST(messages_with_handles_are_written_while_the_end_leaves) {
  // The departure makes what each data pipe needs, which takes its time: meanwhile more come.
  constexpr int kBefore = 40, kMeanwhile = 40;
  for (int round = 0; round < 25; ++round) {
    Pipe pipe;
    RemotePipe carrier;
    std::vector<DataPipePair> data(kBefore + kMeanwhile);
    std::vector<OwnedMessage> messages;
    for (size_t i = 0; i < data.size(); ++i) {
      CHECK_OK(Write(data[i].producer, std::to_string(i)));
      messages.push_back(MakeMessage(Numbered(static_cast<int>(i), 0)));
      // The handles are in the message before it is written.
      AttachTo(*messages[i], {data[i].consumer, NumberedFile(i)});
    }
    for (int i = 0; i < kBefore; ++i) CHECK_OK(WriteMessage(pipe.a, messages[i]));
    RunTogether(2, [&](size_t thread) {
      if (thread == 0) {
        CHECK_OK(Write(carrier.a, "", {pipe.b}));
      } else {
        for (int i = kBefore; i < kBefore + kMeanwhile; ++i) {
          CHECK_OK(WriteMessage(pipe.a, messages[i]));
        }
      }
    });
    const PipeEnd end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    for (int i = 0; i < kBefore + kMeanwhile; ++i) {
      OwnedMessage message;
      CHECK_OK(AwaitRead(end, &message));
      CHECK_EQ(TextOf(*message), Numbered(i, 0));
      const std::vector<Ref<Dispatcher>> handles = TakeDispatchers(*message);
      CHECK_EQ(handles.size(), 2u);
      const Consumer consumer = Receive<DataPipeConsumer>(handles[0]);
      CHECK_EQ(ReadExactly(consumer, std::to_string(i).size()), std::to_string(i));
      CHECK_EQ(NumberOf(handles[1]), uint64_t(i));
    }
  }
}

// --- closing ---

TEST(what_was_written_before_the_close_arrives) {
  for (int round = 0; round < 300; ++round) {
    RemotePipe pipe(kTinyBuffer);
    const int messages = 1 + round % 60;
    std::thread writer([&] {
      Random random(round);
      for (int i = 0; i < messages; ++i) {
        CHECK_OK(Write(pipe.a, Numbered(i, random.Below(2'000))));
      }
      CHECK_OK(pipe.a.Close());
    });
    Counter counter;
    while (counter.ReadSome(pipe.b)) Await(pipe.b, kSignalReadable);
    CHECK_EQ(counter.next, messages);
    writer.join();
  }
}

TEST(the_io_thread_sends_while_its_end_closes_or_moves) {
  for (int round = 0; round < 300; ++round) {
    RemotePipe pipe(kTinyBuffer), carrier;
    Random random(round);
    const int messages = 20 + round % 40;
    PipeEnd end = std::move(pipe.a);
    std::thread reader([&] {
      Counter counter;
      while (counter.ReadSome(pipe.b)) Await(pipe.b, kSignalReadable);
      CHECK_EQ(counter.next, messages);
    });
    for (int i = 0; i < messages; ++i) {
      CHECK_OK(Write(end, Numbered(i, random.Below(1'500))));
      if (random.OneIn(10)) {
        CHECK_OK(Write(carrier.a, "", {end}));
        end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
      }
    }
    CHECK_OK(end.Close());
    reader.join();
  }
}

TEST(an_end_closes_under_those_who_use_it) {
  for (int round = 0; round < 400; ++round) {
    RemotePipe pipe(round % 2 == 0 ? 0 : kTinyBuffer);
    TestWatcher watcher;
    CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
    CHECK_OK(watcher.Arm());
    RunTogether(4, [&](size_t thread) {
      switch (thread) {
        case 0:
          for (int i = 0; i < 10; ++i) Write(pipe.b, Numbered(i, 400));
          break;
        case 1: CHECK_OK(pipe.a.Close()); break;
        case 2: {
          Waiter waiter;
          if (waiter.Add(pipe.a.get(), pipe.a.value(), kSignalPeerClosed) != Result::kOk) break;
          ApiCall call;
          while (waiter.Wait(Now() + kSoon) == Result::kShouldWait) continue;
          CHECK_EQ(waiter.result(), Result::kCancelled);
          break;
        }
        case 3: {
          OwnedMessage message;
          Result result;
          do {
            result = Read(pipe.a, &message);
          } while (result == Result::kOk || result == Result::kShouldWait);
          CHECK_EQ(result, Result::kInvalidArgument);
          break;
        }
      }
    });
    CHECK_EQ(watcher.recorder().count(Result::kCancelled), 1u);
    CHECK(Await(pipe.b, kSignalPeerClosed));
  }
}

TEST(a_peer_closes_under_those_who_use_the_end) {
  for (int round = 0; round < 300; ++round) {
    RemotePipe pipe(round % 2 == 0 ? 0 : kTinyBuffer);
    TestWatcher watcher;
    CHECK_OK(watcher.Watch(pipe.a, kSignalPeerClosed, 1));
    CHECK_OK(watcher.Arm());
    RunTogether(4, [&](size_t thread) {
      switch (thread) {
        case 0:
          for (int i = 0; i < 5; ++i) CHECK_OK(Write(pipe.b, Numbered(i, 400)));
          CHECK_OK(pipe.b.Close());
          break;
        case 1: CHECK(Await(pipe.a, kSignalPeerClosed)); break;
        case 2: {
          Result result;
          for (int i = 0; (result = Write(pipe.a, Numbered(i, 400))) == Result::kOk; ++i) continue;
          CHECK_EQ(result, Result::kFailedPrecondition);
          break;
        }
        case 3: {
          Counter counter;
          while (counter.ReadSome(pipe.a)) Await(pipe.a, kSignalReadable);
          CHECK_EQ(counter.next, 5);
          break;
        }
      }
    });
    Until([&] { return watcher.recorder().count(Result::kOk) == 1; });
  }
}

// --- anything ---

constexpr size_t kEnds = 12, kThreads = 4;

// Pipes that stay carry those that travel, so that none is ever inside itself.
struct Stress {
  Stress() : carriers(kEnds), travellers(kEnds) {
    Random random(77);
    for (size_t i = 0; i < kEnds; i += 2) {
      NewPipe(carriers, i, i + 1, true, random);
      NewPipe(travellers, i, i + 1, random.OneIn(2), random);
    }
  }
  static void NewPipe(Slots<PipeEnd>& slots, size_t first, size_t second, bool remote,
                      Random& random) {
    PipeEnd a, b;
    if (remote) {
      RemotePipe pipe(random.OneIn(2) ? kTinyBuffer : 0);
      a = std::move(pipe.a);
      b = std::move(pipe.b);
    } else {
      Pipe pipe;
      a = std::move(pipe.a);
      b = std::move(pipe.b);
    }
    slots.Put(first, std::make_shared<PipeEnd>(std::move(a)));
    slots.Put(second, std::make_shared<PipeEnd>(std::move(b)));
  }
  std::shared_ptr<PipeEnd> Carrier(Random& random) { return carriers.Get(random.Below(kEnds)); }
  std::shared_ptr<PipeEnd> Traveller(Random& random) { return travellers.Get(random.Below(kEnds)); }

  void ReadSome(const PipeEnd& end, Random& random) {
    OwnedMessage message;
    if (Read(end, &message) != Result::kOk) return;
    const std::string text = TextOf(*message);
    CHECK(std::all_of(text.begin(), text.end(), [&](char c) { return c == text[0]; }));
    for (const Ref<Dispatcher>& each : TakeDispatchers(*message)) {
      if (random.OneIn(5)) {
        each->CloseInTransit();
        DispatchPending();
      } else {
        travellers.Put(random.Below(kEnds),
                       std::make_shared<PipeEnd>(Receive<MessagePipeEndpoint>(each)));
      }
    }
  }

  void DoSomething(Random& random) {
    const std::shared_ptr<PipeEnd> end = Traveller(random), other = Traveller(random);
    const std::shared_ptr<PipeEnd> carrier = Carrier(random);
    const std::string text(random.Below(random.OneIn(10) ? 3'000 : 100),
                           static_cast<char>('a' + random.Below(26)));
    switch (random.Below(16)) {
      case 0:
      case 1: Write(*end, text); break;
      case 2:
      case 3:
      case 4: Write(*carrier, text, {*end}); break;
      case 5: Write(*carrier, text, {*end, *other}); break;
      case 6:
      case 7:
      case 8:
      case 9: ReadSome(*carrier, random); break;
      case 10:
      case 11: ReadSome(*end, random); break;
      case 12:
        if (random.OneIn(5)) end->Close();
        break;
      case 13:
        if (random.OneIn(5)) {
          NewPipe(travellers, random.Below(kEnds), random.Below(kEnds), random.OneIn(2), random);
        }
        break;
      case 14: {
        SignalsState state;
        if (end->get()->QueryState(end->value(), &state) != Result::kOk) break;
        CHECK_EQ(state.satisfied & ~state.satisfiable, 0u);
        break;
      }
      case 15: {
        Waiter waiter;
        ApiCall call;
        if (waiter.Add(end->get(), end->value(), kSignalReadable) == Result::kOk) {
          waiter.Wait(Now() + 50'000);
        }
        break;
      }
    }
  }

  Slots<PipeEnd> carriers, travellers;
};

TEST(random_operations_by_many_threads) {
  for (uint64_t round = 0; round < 6; ++round) {
    Stress stress;
    RunTogether(kThreads, [&](size_t thread) {
      Random random(1'000 * round + thread);
      for (int i = 0; i < 1'500; ++i) stress.DoSomething(random);
    });
  }
}

}  // namespace mojo_seq::testing::message_pipe_remote_stress_test
