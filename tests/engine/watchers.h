// Watchers for tests: a handler that writes down what it is told, and can act on it.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "api.h"
#include "check.h"
#include "watcher.h"

namespace mojo_seq::testing {

struct Notified {
  WatchContext context;
  Result result;
  SignalsState state;
  uint32_t flags;
};

class Recorder : public NotificationHandler {
 public:
  using Action = std::function<void(const Notified&)>;
  explicit Recorder(Action action = nullptr) : action_(std::move(action)) {}

  void OnNotification(WatchContext context, Result result, const SignalsState& state,
                      uint32_t flags) override {
    const Notified notified{context, result, state, flags};
    {
      std::lock_guard<std::mutex> lock(mutex_);
      all_.push_back(notified);
    }
    if (action_) action_(notified);
  }

  std::vector<Notified> all() {
    std::lock_guard<std::mutex> lock(mutex_);
    return all_;
  }
  size_t count() {
    std::lock_guard<std::mutex> lock(mutex_);
    return all_.size();
  }
  size_t count(Result result) {
    size_t found = 0;
    for (const Notified& each : all()) found += each.result == result;
    return found;
  }
  Notified last() {
    std::lock_guard<std::mutex> lock(mutex_);
    CHECK(!all_.empty());
    return all_.back();
  }

 private:
  const Action action_;
  std::mutex mutex_;
  std::vector<Notified> all_;  // mutex_
};

// A watcher with its recorder. The action is made before the watcher, so it may refer to it.
class TestWatcher {
 public:
  explicit TestWatcher(Recorder::Action action = nullptr)
      : recorder_(MakeRef<Recorder>(std::move(action))),
        handle_(MakeRef<Watcher>(Ref<NotificationHandler>(Ref<Recorder>(recorder_)))) {}

  template <typename T>
  Result Watch(const Handle<T>& handle, Signals signals, WatchContext context) {
    return Watch(handle.dispatcher(), handle.value(), signals, context);
  }
  Result Watch(Ref<Dispatcher> dispatcher, HandleValue value, Signals signals,
               WatchContext context) {
    ApiCall call;
    return handle_->WatchHandle(handle_.value(), std::move(dispatcher), value, signals, context);
  }
  Result Cancel(WatchContext context) {
    ApiCall call;
    return handle_->CancelWatch(handle_.value(), context);
  }
  Result Arm(size_t max_ready = 16, std::vector<ReadyWatch>* ready = nullptr) {
    ApiCall call;
    std::vector<ReadyWatch> ignored;
    return handle_->Arm(handle_.value(), max_ready, ready ? ready : &ignored);
  }
  Result Close() { return handle_.Close(); }

  Recorder& recorder() { return *recorder_; }
  const Handle<Watcher>& handle() const { return handle_; }

 private:
  Ref<Recorder> recorder_;
  Handle<Watcher> handle_;
};

}  // namespace mojo_seq::testing
