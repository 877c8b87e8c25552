#include "spin_control.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "fork.h"

namespace mojo_seq {

namespace {

constexpr Time kLook = 100'000'000;
constexpr Time kLookAtQuota = 50 * kLook;  // it is in many files, and seldom changes
constexpr double kBusy = 1.5;              // spinners themselves are among those that could run
constexpr Time kForgotten = 10 * kLook;    // what the load was so long ago says nothing

std::atomic<SpinMode>& Mode() {
  static std::atomic<SpinMode> mode{SpinControl::ParseMode(getenv("MOJO_SEQ_SPIN"))};
  return mode;
}

// What the threads of a process share.
struct State {
  std::atomic<int> spinning{0};
  std::atomic<int> limit{1};
  std::atomic<Time> looked{-kForgotten};  // who moves it on looks, and changes all below
  std::atomic<Time> looked_at_quota{-kLookAtQuota};
  std::atomic<int> quota{INT32_MAX};
  std::atomic<double> runnable{0};
  std::atomic<int> fixed_limit{-1};

  int Limit() const {
    const int fixed = fixed_limit.load(std::memory_order_relaxed);
    return fixed >= 0 ? fixed : limit.load(std::memory_order_relaxed);
  }
};

State& TheState() {
  static ForkLocal<State> state;
  return state.Get();
}

struct ThreadState {
  Time looked = -kLook;
  int usable = 1;
};

thread_local ThreadState this_thread;

int UsableProcessors() {
  cpu_set_t set;
  // Too many for a set of this size: more than one, then.
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : CPU_SETSIZE;
}

int Processors() {
  static const int number = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  return number;
}

// The beginning of a small file; empty if there is none.
std::string ReadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char text[1024];
  const ssize_t got = read(fd, text, sizeof text);
  close(fd);
  return std::string(text, got > 0 ? static_cast<size_t>(got) : 0);
}

// The least that a control group or one of those around it allows.
int FindQuota() {
  int quota = INT32_MAX;
  const std::string groups = ReadFile("/proc/self/cgroup");
  for (size_t begin = 0; begin < groups.size();) {
    const size_t end = std::min(groups.find('\n', begin), groups.size());
    const std::string line = groups.substr(begin, end - begin);
    begin = end + 1;
    const size_t colon = line.find(':');
    const size_t second = line.find(':', colon + 1);
    if (colon == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(colon + 1, second - colon - 1) + ",";
    const bool unified = controllers == ",,";
    if (!unified && controllers.find(",cpu,") == std::string::npos) continue;
    const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (std::string group = line.substr(second + 1);;) {
      if (group == "/") group.clear();
      const std::string place = root + group + "/";
      quota = std::min(quota, SpinControl::ParseQuota((
          unified ? ReadFile(place + "cpu.max")
                  : ReadFile(place + "cpu.cfs_quota_us") + " " +
                        ReadFile(place + "cpu.cfs_period_us")).c_str()));
      if (group.empty()) break;
      group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
    }
  }
  return quota;
}

void Look(State* state, Time now, Time last) {
  if (now - state->looked_at_quota.load(std::memory_order_relaxed) >= kLookAtQuota) {
    state->looked_at_quota.store(now, std::memory_order_relaxed);
    state->quota.store(FindQuota(), std::memory_order_relaxed);
  }
  SpinControl::Machine machine;
  machine.processors = Processors();
  machine.usable = this_thread.usable;
  machine.quota = state->quota.load(std::memory_order_relaxed);
  const int runnable = SpinControl::ParseRunnable(ReadFile("/proc/loadavg").c_str());
  machine.runnable = state->runnable.load(std::memory_order_relaxed);
  if (now - last >= kForgotten) {
    machine.runnable = std::max(runnable, 0);
  } else if (runnable >= 0) {
    machine.runnable += (runnable - machine.runnable) / 4;
  }
  state->runnable.store(machine.runnable, std::memory_order_relaxed);
  state->limit.store(SpinControl::Limit(machine), std::memory_order_relaxed);
}

}  // namespace

SpinMode SpinControl::mode() { return Mode().load(std::memory_order_relaxed); }
SpinMode SpinControl::ParseMode(const char* value) {
  return value && strcmp(value, "never") == 0 ? SpinMode::kNever : SpinMode::kAuto;
}

void SpinControl::SetMode(SpinMode mode) { Mode().store(mode, std::memory_order_relaxed); }

void SpinControl::SetLimit(int limit) {
  TheState().fixed_limit.store(limit, std::memory_order_relaxed);
}

int SpinControl::Limit(const Machine& machine) {
  const double load = machine.runnable / machine.processors;
  if (machine.quota < 2) return 0;
  // A thread that is kept on one processor may wait for one that runs on another.
  return load > kBusy ? 1 : std::max(1, std::min(machine.usable, machine.quota) - 1);
}

int SpinControl::ParseRunnable(const char* loadavg) {
  int runnable;
  return sscanf(loadavg, "%*f %*f %*f %d/", &runnable) == 1 ? runnable : -1;
}

int SpinControl::ParseQuota(const char* cpu_max) {
  long long quota;
  long long period;
  const bool limited = sscanf(cpu_max, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0;
  return limited ? static_cast<int>(std::min<long long>(quota / period, INT32_MAX)) : INT32_MAX;
}

bool SpinControl::MaySpin(Time now, int peer) {
  if (mode() == SpinMode::kNever) return false;
  ThreadState& thread = this_thread;
  if (now - thread.looked >= kLook) {
    thread.looked = now;
    thread.usable = UsableProcessors();
  }
  // Who runs on our processor does so only while we do not.
  if (peer >= 0 ? peer == sched_getcpu() : thread.usable == 1) return false;
  State& state = TheState();
  Time looked = state.looked.load(std::memory_order_relaxed);
  if (now - looked >= kLook &&
      state.looked.compare_exchange_strong(looked, now, std::memory_order_acq_rel)) {
    Look(&state, now, looked);
  }
  return state.Limit() > 0;
}

bool SpinControl::Begin() {
  State& state = TheState();
  if (state.spinning.fetch_add(1, std::memory_order_relaxed) < state.Limit()) return true;
  End();
  return false;
}

void SpinControl::End() { TheState().spinning.fetch_sub(1, std::memory_order_relaxed); }

}  // namespace mojo_seq
