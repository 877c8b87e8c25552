#include "memory_budget.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>

#include "shared_memory.h"

namespace mojo_seq {

namespace {

// The path of our group in the unified hierarchy; empty: there is none.
std::string ControlGroup() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("0::", 0) == 0) return line.substr(3);
  }
  return "";
}

size_t FindLimit() {
  size_t limit = MaxSharedMemory();
  std::string group = ControlGroup();
  while (!group.empty()) {
    size_t nbytes = 0;
    // "max" is no number.
    if (std::ifstream("/sys/fs/cgroup" + group + "/memory.max") >> nbytes && nbytes > 0) {
      limit = std::min(limit, nbytes);
    }
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
  return limit;
}

std::atomic<size_t> budget{0};  // 0: not set

}  // namespace

size_t MemoryLimit() {
  static const size_t limit = FindLimit();
  return limit;
}

size_t MemoryBudget() {
  const size_t nbytes = budget.load(std::memory_order_relaxed);
  return nbytes > 0 ? nbytes : MemoryLimit() / 5 * 4;
}

size_t ChosenMemoryBudget() { return budget.load(std::memory_order_relaxed); }

void SetMemoryBudget(size_t nbytes) { budget.store(nbytes, std::memory_order_relaxed); }

}  // namespace mojo_seq
