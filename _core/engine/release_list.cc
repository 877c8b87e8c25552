#include "release_list.h"

#include <mutex>

#include "fork.h"

namespace mojo_seq {

namespace {

// Never destroyed: threads may still let go of objects while the process exits.
struct List {
  std::mutex mutex;
  std::vector<void*> objects;
};

List& TheList() {
  static ForkLocal<List> list;
  return list.Get();
}

}  // namespace

void ReleaseLater(void* object) {
  List& list = TheList();
  std::lock_guard<std::mutex> lock(list.mutex);
  list.objects.push_back(object);
  has_releases.store(true, std::memory_order_release);
}

std::vector<void*> TakeReleases() {
  List& list = TheList();
  std::lock_guard<std::mutex> lock(list.mutex);
  std::vector<void*> objects;
  objects.swap(list.objects);
  has_releases.store(false, std::memory_order_release);
  return objects;
}

}  // namespace mojo_seq
