// Objects that threads of a stress test share, use and replace at any moment.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mojo_seq::testing {

// The old object lives as long as somebody still uses it; its handles may be closed at any time.
template <typename T>
class Slots {
 public:
  explicit Slots(size_t count) : slots_(count) {}

  size_t size() const { return slots_.size(); }
  std::shared_ptr<T> Get(size_t index) {
    std::lock_guard<std::mutex> lock(slots_[index].mutex);
    return slots_[index].object;
  }
  std::shared_ptr<T> Put(size_t index, std::shared_ptr<T> object) {
    std::lock_guard<std::mutex> lock(slots_[index].mutex);
    return std::exchange(slots_[index].object, std::move(object));
  }

 private:
  struct Slot {
    std::mutex mutex;
    std::shared_ptr<T> object;
  };
  std::vector<Slot> slots_;
};

}  // namespace mojo_seq::testing
