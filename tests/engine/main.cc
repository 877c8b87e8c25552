// Runs the named tests, one after another, and looks for what each left alive or open.
//
//   engine_tests --list            all names
//   engine_tests NAME...           these
// In the environment: MOJO_SEQ_SEED, the seed of the random ones.

#include <signal.h>
#include <sys/prctl.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "check.h"
#include "descriptors.h"
#include "io_thread.h"
#include "live_count.h"
#include "poll_waker.h"
#include "random.h"
#include "rings.h"
#include "segment.h"

namespace mojo_seq::testing {

namespace {

const char* const kKinds[] = {"handle",  "dispatcher", "message",  "payload",  "data pipe",
                              "mapping", "watch",      "wait set", "sequence", "task",    "channel",
                              "ring"};
static_assert(sizeof kKinds / sizeof *kKinds == static_cast<size_t>(Kind::kCount));

std::string Alive() {
  std::string left;
  for (uint32_t kind = 0; kind < static_cast<uint32_t>(Kind::kCount); ++kind) {
    const int64_t count = LiveCount(static_cast<Kind>(kind));
    if (count == 0) continue;
    left += (left.empty() ? "" : ", ") + std::to_string(count) + " " + kKinds[kind];
  }
  return left;
}

// What the I/O thread has yet to send or to notice it lets go of by itself, though not at once. A
// test that did not use it gets no such time.
void EndIo() {
  IoThread* const thread = IoThread::IfMade();
  if (!thread) return;
  const Time deadline = Now() + 30'000'000'000;
  thread->Flush(deadline);
  while (!Alive().empty() && Now() < deadline) usleep(1'000);
  thread->Stop();
}

void CheckNothingLeft(const std::string& test, const std::map<int, std::string>& before) {
  EndIo();
  Segment::Trim();
  const std::string alive = Alive();
  if (!alive.empty()) Fail(test.c_str(), 0, "left alive: " + alive);
  std::multiset<std::string> kept;  // the two descriptors of the I/O thread
  if (IoThread::IfMade()) kept = {"anon_inode:[eventpoll]", "anon_inode:[eventfd]"};
  for (const auto& [fd, what] : OpenDescriptors()) {
    auto it = kept.find(what);
    if (before.count(fd)) continue;
    if (it == kept.end()) Fail(test.c_str(), 0, "left open: " + std::to_string(fd) + " " + what);
    kept.erase(it);
  }
}

int Run(const char* name) {
  for (const Test& test : Tests()) {
    if (test.name != name) continue;
    PollWaker::OfThisThread();  // it stays, like the thread
    const std::map<int, std::string> before = OpenDescriptors();
    HotPipes::SetIdleTime(kUsualIdleTime);
    test.run();
    CheckNothingLeft(test.name, before);
    printf("passed %s (seed %llu)\n", name, static_cast<unsigned long long>(Seed()));
    return 0;
  }
  fprintf(stderr, "there is no test %s\n", name);
  return 2;
}

}  // namespace

}  // namespace mojo_seq::testing

int main(int argc, char** argv) {
  // A test that hangs must not outlive the run that started it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char* const parent = getenv("MOJO_SEQ_TEST_PARENT");
  if (parent && atoi(parent) != getppid()) return 3;  // it ended before we asked
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (const auto& test : mojo_seq::testing::Tests()) puts(test.name.c_str());
    return 0;
  }
  if (argc < 2) {
    fprintf(stderr, "usage: %s --list | NAME...\n", argv[0]);
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    if (const int status = mojo_seq::testing::Run(argv[i])) return status;
  }
  return 0;
}
