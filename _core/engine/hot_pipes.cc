#include "hot_pipes.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <unordered_set>

#include "channel.h"
#include "fork.h"
#include "io_thread.h"

namespace mojo_seq {

namespace {

// A ring costs 100 us of processor time, of both sides together, and saves 2 us with each message one way,
// 7 us with each that is answered. So it pays after 60 messages, or 15 and as many answers. Nobody knows how
// many come: who has one when as many went as would have paid for it never pays much more than
// twice what was necessary (tests/perf/ring_threshold.py).
constexpr uint32_t kMessages = 64;
// Evenly spaced, so many messages neither gain nor lose by a ring, up to ten times as many in that
// time: both sides sleep in between, and a sleeper gets them through the socket. Bursts do gain.
constexpr Time kShortly = 100'000'000;

std::atomic<Time> idle_time{2'000'000'000};

RingMode FromEnvironment() {
  const char* const value = getenv("MOJO_SEQ_RINGS");
  if (value && strcmp(value, "never") == 0) return RingMode::kNever;
  if (value && strcmp(value, "always") == 0) return RingMode::kAtOnce;
  // On one processor both sides take turns: whoever waits sleeps, and the socket wakes it. One that
  // may only run on one of several may well talk to a process on another one.
  return sysconf(_SC_NPROCESSORS_ONLN) < 2 ? RingMode::kNever : RingMode::kAuto;
}

std::atomic<RingMode>& Mode() {
  static std::atomic<RingMode> mode{FromEnvironment()};
  return mode;
}

struct Members {
  std::mutex mutex;  // above the send mutexes, which are only tried under it
  std::unordered_set<Channel*> channels;  // mutex
  bool looking = false;                   // mutex: a Look is due
};

Members& TheMembers() {
  static ForkLocal<Members> members;
  return members.Get();
}

// Asks them all now and then, as long as there are any.
class Look : public IoHandler {
 public:
  void OnIo(uint32_t /*events*/) override {
    Members& members = TheMembers();
    std::lock_guard<std::mutex> lock(members.mutex);
    // Who gives its ring back leaves.
    const std::vector<Channel*> all(members.channels.begin(), members.channels.end());
    for (Channel* each : all) {
      if (each->OnIdle()) members.channels.erase(each);
    }
    members.looking = !members.channels.empty();
    if (members.looking) IoThread::Get().After(idle_time, Ref<IoHandler>(this));
  }
};

}  // namespace

RingMode HotPipes::mode() { return Mode().load(std::memory_order_relaxed); }
void HotPipes::SetMode(RingMode mode) { Mode().store(mode, std::memory_order_relaxed); }
void HotPipes::SetIdleTime(Time time) { idle_time.store(time, std::memory_order_relaxed); }

bool HotPipes::MayBeHot(uint32_t messages) {
  return messages >= kMessages || mode() == RingMode::kAtOnce;
}
bool HotPipes::IsHot(Time time) { return time <= kShortly; }

bool HotPipes::Enter(Channel* channel, bool anyway) {
  Members& members = TheMembers();
  std::lock_guard<std::mutex> lock(members.mutex);
  if (members.channels.size() >= kMost && !anyway) return false;
  members.channels.insert(channel);
  if (!members.looking) {
    members.looking = true;
    IoThread::Get().After(idle_time, Ref<IoHandler>(MakeRef<Look>()));
  }
  return true;
}

void HotPipes::Leave(Channel* channel) {
  Members& members = TheMembers();
  std::lock_guard<std::mutex> lock(members.mutex);
  members.channels.erase(channel);
}

size_t HotPipes::count() {
  Members& members = TheMembers();
  std::lock_guard<std::mutex> lock(members.mutex);
  return members.channels.size();
}

}  // namespace mojo_seq
