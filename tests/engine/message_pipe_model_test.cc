// Random schedules against a model in which a pipe is two lists: whatever moves, leaves, comes home
// or closes, and whenever the kernel takes or brings something, each end reads what the other wrote,
// in order, and all of it. Architecture §2: invariants R, W, T and K.

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "check.h"
#include "io_thread.h"
#include "message_pipe.h"
#include "platform_handles.h"
#include "random.h"
#include "sockets.h"

namespace mojo_seq::testing::message_pipe_model_test {

struct End;

struct Expected {
  std::string text;
  std::vector<End*> ends;
  std::optional<uint64_t> file;
};

// One end as the model knows it.
struct End {
  End* peer = nullptr;
  size_t level = 0;                // only pipes of lower levels carry it, so nothing carries itself
  PipeEnd handle;                  // while it is in nobody's message
  bool closed = false;
  std::deque<Expected> incoming;   // written for it and not read
  // Its peer was in a message that nobody read, and with it what the peer had yet to send.
  bool may_miss_last = false;
  bool is_here() const { return !closed && handle.is_open(); }
};

struct Settings {
  size_t levels, pipes, steps;
  int buffer;
  size_t remote;  // one in so many pipes is made of sockets; 0: none
  bool closes;
};

class World {
 public:
  World(uint64_t seed, const Settings& settings) : random_(seed), settings_(settings) {
    for (size_t level = 0; level < settings.levels; ++level) {
      for (size_t i = 0; i < settings.pipes; ++i) AddPipe(level);
    }
  }

  void Run() {
    for (size_t step = 0; step < settings_.steps; ++step) Step();
    Drain();
  }

 private:
  void AddPipe(size_t level) {
    const bool remote = level == 0 || (settings_.remote > 0 && random_.OneIn(settings_.remote));
    End* const a = ends_.emplace_back(std::make_unique<End>()).get();
    End* const b = ends_.emplace_back(std::make_unique<End>()).get();
    a->level = b->level = level;
    a->peer = b;
    b->peer = a;
    if (remote) {
      RemotePipe pipe(random_.OneIn(3) ? 0 : settings_.buffer);
      a->handle = std::move(pipe.a);
      b->handle = std::move(pipe.b);
    } else {
      Pipe pipe;
      a->handle = std::move(pipe.a);
      b->handle = std::move(pipe.b);
    }
  }

  End* AnyHere() {
    for (;;) {
      End* const end = ends_[random_.Below(ends_.size())].get();
      if (end->is_here()) return end;
    }
  }

  std::string NextText() {
    static const size_t kSizes[] = {0, 5, 100, 1'000, 3'000, 5'000, 70'000};
    const size_t size = kSizes[random_.Below(random_.OneIn(10) ? 7 : 5)];
    return Pattern(size, ++written_);
  }

  void Step() {
    switch (random_.Below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5: WriteOne(AnyHere()); break;
      case 6: WriteMany(AnyHere()); break;
      case 7:
      case 8:
      case 9: SendEnd(); break;
      case 10: AnyHere()->handle.State(); break;
      case 11:
        if (settings_.closes && random_.OneIn(8)) Close(AnyHere());
        break;
      case 12: Flush(); break;
      default: ReadSome(AnyHere()); break;
    }
  }

  // --- writing ---

  // What was written arrives, unless there is nobody for it.
  void Written(End* end, Expected expected) {
    if (!end->peer->closed) {
      end->peer->incoming.push_back(std::move(expected));
      return;
    }
    Lost(expected);
  }

  void WriteOne(End* end) {
    Expected expected{NextText(), {}, {}};
    std::optional<FileHandle> file;
    if (random_.OneIn(8)) {
      expected.file = written_;
      file = NumberedFile(written_);
    }
    std::vector<Attached> handles;
    if (file) handles.emplace_back(*file);
    const Result result = Write(end->handle, expected.text, handles);
    if (result == Result::kOk) {
      Written(end, std::move(expected));
    } else {
      CHECK_EQ(result, Result::kFailedPrecondition);
      CHECK(end->peer->closed);
      if (file) CHECK(file->is_open());
    }
  }

  void WriteMany(End* end) {
    MessageList batch;
    std::vector<std::string> texts;
    for (size_t i = random_.Below(12); i > 0; --i) {
      texts.push_back(NextText());
      batch.Push(MakeMessage(texts.back()).release());
    }
    ApiCall call;
    const Result result = end->handle->WriteBatch(end->handle.value(), &batch);
    if (result == Result::kOk) {
      for (std::string& text : texts) Written(end, {std::move(text), {}, {}});
    } else {
      CHECK_EQ(result, Result::kFailedPrecondition);
      CHECK_EQ(batch.size(), texts.size());
      CHECK(end->peer->closed);
    }
  }

  void SendEnd() {
    End* const carrier = AnyHere();
    Expected expected{NextText(), {}, {}};
    std::vector<Attached> handles;
    for (size_t i = 1 + random_.Below(3); i > 0; --i) {
      End* const end = AnyHere();
      if (end->level <= carrier->level) continue;
      if (std::count(expected.ends.begin(), expected.ends.end(), end) > 0) continue;
      expected.ends.push_back(end);
      handles.emplace_back(end->handle);
    }
    const Result result = Write(carrier->handle, expected.text, handles);
    if (result == Result::kOk) {
      Written(carrier, std::move(expected));
    } else {
      CHECK_EQ(result, Result::kFailedPrecondition);
      CHECK(carrier->peer->closed);
      for (End* each : expected.ends) CHECK(each->is_here());
    }
  }

  // --- reading ---

  void Check(End* end, Message& message) {
    CHECK(!end->incoming.empty());
    const Expected expected = std::move(end->incoming.front());
    end->incoming.pop_front();
    CHECK(TextOf(message) == expected.text);
    CHECK_EQ(message.dispatchers.size(), expected.ends.size() + (expected.file ? 1 : 0));
    const std::vector<Ref<Dispatcher>> received = TakeDispatchers(message);
    for (size_t i = 0; i < expected.ends.size(); ++i) {
      CHECK_EQ(received[i]->type(), HandleType::kMessagePipe);
      expected.ends[i]->handle = Receive<MessagePipeEndpoint>(received[i]);
    }
    if (expected.file) CHECK_EQ(NumberOf(received.back()), *expected.file);
  }

  void CheckNothing(End* end, Result result) {
    // Nothing yet: the peer, or something that the peer has to send, is on its way.
    if (result == Result::kShouldWait) return;
    CHECK_EQ(result, Result::kFailedPrecondition);
    CHECK(end->peer->closed);
    CHECK(end->incoming.empty() || end->may_miss_last);
    LoseAll(end);
  }

  void ReadSome(End* end) {
    if (random_.OneIn(3)) {
      MessageList messages;
      ApiCall call;
      const size_t most = 1 + random_.Below(20);
      const Result result = end->handle->ReadBatch(end->handle.value(), most, &messages);
      CHECK_EQ(messages.empty(), result != Result::kOk);
      CHECK(messages.size() <= most);
      if (result != Result::kOk) CheckNothing(end, result);
      while (Message* const message = messages.Pop()) {
        const OwnedMessage owned(message);
        Check(end, *owned);
      }
      return;
    }
    OwnedMessage message;
    const Result result = Read(end->handle, &message);
    if (result == Result::kOk) {
      Check(end, *message);
    } else {
      CheckNothing(end, result);
    }
  }

  // --- closing ---


  void LoseAll(End* end) {
    std::deque<Expected> unread;
    unread.swap(end->incoming);
    for (const Expected& each : unread) Lost(each);
  }
  void Lost(const Expected& message) {
    for (End* inside : message.ends) {
      inside->closed = true;
      inside->peer->may_miss_last = true;
      LoseAll(inside);
    }
  }

  void Close(End* end) {
    if (end->level == 0) return;  // there would soon be nothing that carries
    CHECK_OK(end->handle.Close());
    end->closed = true;
    LoseAll(end);
  }

  void Flush() { IoThread::Get().Flush(Now() + 1'000'000); }

  // Everything that was written is read in the end, level by level: each brings ends of the next.
  void Drain() {
    for (size_t level = 0; level < settings_.levels; ++level) {
      for (const std::unique_ptr<End>& end : ends_) {
        if (end->level != level || end->closed) continue;
        CHECK(end->is_here());
        while (!end->incoming.empty()) {
          OwnedMessage message;
          const Result result = AwaitRead(end->handle, &message);
          if (result == Result::kOk) {
            Check(end.get(), *message);
          } else {
            CheckNothing(end.get(), result);
          }
        }
      }
    }
    for (const std::unique_ptr<End>& end : ends_) {
      OwnedMessage message;
      if (end->closed) continue;
      if (end->peer->closed) {
        CHECK_EQ(AwaitRead(end->handle, &message), Result::kFailedPrecondition);
        CHECK_STATE(end->handle, kSignalPeerClosed, kSignalPeerClosed);
      } else {
        CHECK_EQ(Read(end->handle, &message), Result::kShouldWait);
      }
    }
  }

  Random random_;
  const Settings settings_;
  std::vector<std::unique_ptr<End>> ends_;
  uint64_t written_ = 0;
};

void RunWorlds(size_t worlds, const Settings& settings) {
  for (uint64_t seed = 0; seed < worlds; ++seed) World(seed, settings).Run();
}

TEST(one_pipe_that_moves) { RunWorlds(40, {2, 1, 200, kTinyBuffer, 1, false}); }
TEST(one_local_pipe_that_leaves_and_comes_home) {
  RunWorlds(40, {2, 1, 200, kTinyBuffer, 0, false});
}
TEST(pipes_in_pipes) { RunWorlds(25, {4, 2, 400, kTinyBuffer, 2, false}); }
TEST(pipes_in_pipes_with_room) { RunWorlds(25, {4, 2, 400, 0, 2, false}); }
TEST(local_pipes_in_pipes) { RunWorlds(25, {4, 2, 400, kTinyBuffer, 0, false}); }
TEST(pipes_that_close) { RunWorlds(40, {3, 3, 300, kTinyBuffer, 3, true}); }
TEST(many_pipes_that_close) { RunWorlds(10, {4, 6, 900, kTinyBuffer, 3, true}); }

}  // namespace mojo_seq::testing::message_pipe_model_test
