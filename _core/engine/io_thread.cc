#include "io_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <unordered_set>

#include "notification.h"

namespace mojo_seq {

namespace {

thread_local bool on_io_thread = false;

std::atomic<IoThread*>& TheThread() {
  static std::atomic<IoThread*> thread{nullptr};
  return thread;
}

struct Lifeline : public IoHandler {
  explicit Lifeline(ScopedFd owned) : fd(std::move(owned)) {}
  // Whoever started us is gone. Nothing of ours may keep the process alive, and the interpreter
  // may be anywhere.
  void OnIo(uint32_t /*events*/) override { _exit(1); }
  const ScopedFd fd;
};

constexpr uint64_t kWakeRegistration = 0;

}  // namespace

bool OnIoThread() { return on_io_thread; }

IoThread& IoThread::Get() {
  IoThread* thread = TheThread().load(std::memory_order_acquire);
  if (thread) return *thread;
  // Never destroyed: threads that outlive main() may still send.
  auto* const made = new IoThread;
  if (TheThread().compare_exchange_strong(thread, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *thread;
}

IoThread* IoThread::IfMade() { return TheThread().load(std::memory_order_acquire); }

void IoThread::Forget() { TheThread().store(nullptr, std::memory_order_release); }

IoThread::IoThread()
    : epoll_(MoveHigh(ScopedFd(epoll_create1(EPOLL_CLOEXEC)))),
      wake_(MoveHigh(ScopedFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)))) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeRegistration;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
}

void IoThread::StartLocked() {
  if (thread_.joinable() || stopping_) return;
  // Signals are for the threads of the program.
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    // No more threads for now: the next who needs it tries again.
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

uint64_t IoThread::Add(int fd, uint32_t events, Ref<IoHandler> handler) {
  std::unique_lock<std::mutex> lock(mutex_);
  const uint64_t registration = ++last_registration_;
  epoll_event event{};
  event.events = events;
  event.data.u64 = registration;
  const bool added = epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  Ref<IoHandler> later = added ? nullptr : handler;
  handlers_.emplace(registration, std::move(handler));
  StartLocked();
  lock.unlock();
  if (later) After(kRetry, std::move(later));  // the kernel has no room for it: look by the clock
  return registration;
}

void IoThread::Modify(uint64_t registration, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = registration;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void IoThread::Remove(uint64_t registration, int fd) {
  Ref<IoHandler> removed;  // released after the lock
  epoll_event event{};
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &event);
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = handlers_.find(registration);
  if (it == handlers_.end()) return;
  removed = std::move(it->second);
  handlers_.erase(it);
}

void IoThread::After(Time delay, Ref<IoHandler> handler) {
  bool first;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = timers_.emplace(Now() + delay, std::move(handler));
    first = it == timers_.begin();
    StartLocked();
  }
  if (first) Wake();
}

void IoThread::WatchLifeline(ScopedFd fd) {
  const int number = fd.get();
  Add(number, EPOLLRDHUP, Ref<IoHandler>(MakeRef<Lifeline>(std::move(fd))));
}

void IoThread::Wake() {
  const uint64_t one = 1;
  // It fails only if it is full, and then the thread is awake.
  const ssize_t written = write(wake_.get(), &one, sizeof one);
  static_cast<void>(written);
}

int IoThread::NextTimeout() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (timers_.empty()) return -1;
  const Time left = timers_.begin()->first - Now();
  return left <= 0 ? 0 : static_cast<int>(left / 1'000'000 + 1);
}

void IoThread::RunTimers() {
  // Only what is due by now, and nothing once it has to stop: threads that go on adding timers could
  // keep it here for ever.
  const Time now = Now();
  for (;;) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_ || timers_.empty() || timers_.begin()->first > now) return;
      current_ = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    current_->OnIo(0);
    DispatchPending();
    Ref<IoHandler> done;
    std::lock_guard<std::mutex> lock(mutex_);
    done = std::move(current_);
  }
}

void IoThread::Run() {
  on_io_thread = true;
  pthread_setname_np(pthread_self(), "mojo_seq-io");
  SystemScope from_system;
  constexpr int kEvents = 64;
  epoll_event events[kEvents];
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events, kEvents, NextTimeout());
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kWakeRegistration) {
        uint64_t value;
        const ssize_t got = read(wake_.get(), &value, sizeof value);
        static_cast<void>(got);
        continue;
      }
      {
        std::lock_guard<std::mutex> lock(mutex_);
        auto it = handlers_.find(events[i].data.u64);
        if (it == handlers_.end()) continue;  // removed since
        current_ = it->second;
      }
      current_->OnIo(events[i].events);
      DispatchPending();
      Ref<IoHandler> done;  // released after the lock
      std::lock_guard<std::mutex> lock(mutex_);
      done = std::move(current_);
    }
    RunTimers();
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.notify_all();
    if (stopping_) return;
  }
}

IoThread::Unsent IoThread::CountUnsentLocked() const {
  Unsent unsent;
  std::unordered_set<const IoHandler*> counted;
  const auto count = [&](const IoHandler* handler) {
    const size_t messages = handler ? handler->Unsent() : 0;
    if (messages == 0 || !counted.insert(handler).second) return;
    unsent.messages += messages;
    ++unsent.pipes;
  };
  for (const auto& [registration, handler] : handlers_) count(handler.get());
  for (const auto& [due, handler] : timers_) count(handler.get());
  count(current_.get());
  return unsent;
}

IoThread::Unsent IoThread::Flush(Time deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    const Unsent unsent = CountUnsentLocked();
    const Time now = Now();
    if (unsent.messages == 0 || now >= deadline || !thread_.joinable()) return unsent;
    // Not only on progress: what a handler sends on other threads makes none here.
    constexpr Time kLook = 20'000'000;
    progress_.wait_for(lock, std::chrono::nanoseconds(std::min(deadline - now, kLook)));
  }
}

void IoThread::Stop() {
  std::thread stopped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!thread_.joinable()) return;
    stopping_ = true;
    stopped = std::move(thread_);
  }
  Wake();
  stopped.join();
  std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = false;
}

}  // namespace mojo_seq
