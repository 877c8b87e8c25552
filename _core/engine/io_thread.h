// IoThread: the one native thread that watches descriptors. It takes no embedder's lock, so it goes
// on whatever the program does. It sends what the kernel did not take at once, and turns readiness
// into notifications; reading and blocking waits do without it.
//
// Started on first need. Any thread may call; handlers run on the thread itself.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "event.h"
#include "io_handler.h"
#include "scoped_fd.h"

namespace mojo_seq {

constexpr Time kRetry = 5'000'000;  // until the kernel is asked again after it has refused

class IoThread {
 public:
  static IoThread& Get();
  static IoThread* IfMade();
  // In a forked child: the old thread is not here, a new one starts on need.
  static void Forget();

  // `handler` hears of `events` (level-triggered) on `fd` until Remove. The number is never 0.
  // The descriptor must stay open until then.
  uint64_t Add(int fd, uint32_t events, Ref<IoHandler> handler);
  void Modify(uint64_t registration, int fd, uint32_t events);
  void Remove(uint64_t registration, int fd);
  // Once, with events 0.
  void After(Time delay, Ref<IoHandler> handler);

  // Ends the process when the other end of `fd` is gone.
  void WatchLifeline(ScopedFd fd);

  // Waits until every handler has sent what it has to send. What is left when it returns.
  struct Unsent {
    size_t messages = 0;
    size_t pipes = 0;
  };
  Unsent Flush(Time deadline);

  // Ends the thread. It is started again by the next who needs it after that.
  void Stop();

 private:
  IoThread();
  void StartLocked();
  void Run();
  void RunTimers();
  int NextTimeout();
  void Wake();
  Unsent CountUnsentLocked() const;

  ScopedFd epoll_;
  ScopedFd wake_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, Ref<IoHandler>> handlers_;  // mutex_, as all below
  std::multimap<Time, Ref<IoHandler>> timers_;
  uint64_t last_registration_ = 0;
  Ref<IoHandler> current_;               // the one that is being told
  bool stopping_ = false;
  std::thread thread_;                   // joinable while it runs
  std::condition_variable progress_;     // after each round
};

// True on the I/O thread: what happens there comes from another process.
bool OnIoThread();

}  // namespace mojo_seq
