#include "peer_report.h"

#include <mutex>

#include "fork.h"
#include "release_list.h"

namespace mojo_seq {

namespace {

struct Reports {
  std::mutex mutex;
  std::vector<uint32_t> processes;  // mutex
};

Reports& TheReports() {
  static ForkLocal<Reports> reports;
  return reports.Get();
}

}  // namespace

void ReportBadPeer(uint32_t process) {
  constexpr size_t kMost = 1000;  // nobody reads more, and nobody may make us keep more
  Reports& reports = TheReports();
  {
    std::lock_guard<std::mutex> lock(reports.mutex);
    if (reports.processes.size() < kMost) reports.processes.push_back(process);
  }
  has_releases.store(true, std::memory_order_release);
}

std::vector<uint32_t> TakeBadPeers() {
  Reports& reports = TheReports();
  std::lock_guard<std::mutex> lock(reports.mutex);
  std::vector<uint32_t> processes;
  processes.swap(reports.processes);
  return processes;
}

}  // namespace mojo_seq
