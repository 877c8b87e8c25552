// IoThread: readiness, timers, flushing, lifelines, stopping and starting again.

#include "io_thread.h"

#include <sys/epoll.h>

#include <functional>
#include <mutex>
#include <thread>

#include "check.h"
#include "children.h"
#include "odd_descriptors.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::io_thread_test {

class Heard : public IoHandler {
 public:
  using Action = std::function<void(uint32_t)>;
  explicit Heard(Action action = nullptr, size_t unsent = 0)
      : unsent(unsent), action_(std::move(action)) {}

  void OnIo(uint32_t events) override {
    CHECK(OnIoThread());
    last.store(events);
    if (action_) action_(events);
    count.fetch_add(1);
  }
  size_t Unsent() const override { return unsent.load(); }

  std::atomic<size_t> count{0};
  std::atomic<uint32_t> last{0};
  std::atomic<size_t> unsent;

 private:
  const Action action_;
};

IoThread& Thread() { return IoThread::Get(); }
Ref<IoHandler> AsHandler(const Ref<Heard>& heard) { return Ref<IoHandler>(heard.get()); }

// --- descriptors ---

TEST(a_handler_hears_of_what_it_asked_for) {
  SocketPair sockets;
  const int fd = sockets.a.get();
  auto heard = MakeRef<Heard>([&](uint32_t) {
    char byte;
    CHECK_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), 1);
  });
  const uint64_t registration = Thread().Add(fd, EPOLLIN, AsHandler(heard));
  CHECK(registration != 0);
  CHECK(!OnIoThread());
  for (size_t i = 0; i < 20; ++i) {
    CHECK_EQ(SendRaw(sockets.b.get(), "x", 1), 1);
    Until([&] { return heard->count == i + 1; });
    CHECK_EQ(heard->last, uint32_t{EPOLLIN});
  }
  Thread().Remove(registration, fd);
}

TEST(it_is_told_again_as_long_as_there_is_something) {
  SocketPair sockets;
  auto heard = MakeRef<Heard>();
  const uint64_t registration = Thread().Add(sockets.a.get(), EPOLLOUT, AsHandler(heard));
  Until([&] { return heard->count > 100; });
  Thread().Modify(registration, sockets.a.get(), EPOLLIN);
  const size_t before = heard->count + 1;  // it may be being told just now
  CHECK_EQ(SendRaw(sockets.b.get(), "x", 1), 1);
  Until([&] { return heard->count > before + 100; });
  CHECK_EQ(heard->last, uint32_t{EPOLLIN});
  Thread().Remove(registration, sockets.a.get());
}

TEST(after_its_removal_a_handler_is_let_go_of) {
  struct Told : public IoHandler {
    explicit Told(std::atomic<bool>* gone) : gone(gone) {}
    ~Told() override { gone->store(true); }
    std::atomic<bool>* gone;
  };
  SocketPair sockets;
  std::atomic<bool> gone{false};
  const uint64_t registration =
      Thread().Add(sockets.a.get(), EPOLLOUT, Ref<IoHandler>(MakeRef<Told>(&gone)));
  Thread().Remove(registration, sockets.a.get());
  Until([&] { return gone.load(); });
}

TEST(a_number_that_is_used_again_does_not_reach_the_old_handler) {
  for (int i = 0; i < 200; ++i) {
    auto old = MakeRef<Heard>();
    auto fresh = MakeRef<Heard>();
    int number;
    {
      SocketPair sockets;
      number = sockets.a.get();
      const uint64_t registration = Thread().Add(number, EPOLLIN, AsHandler(old));
      Thread().Remove(registration, number);
    }
    SocketPair sockets;
    CHECK_EQ(sockets.a.get(), number);
    const uint64_t registration = Thread().Add(number, EPOLLIN, AsHandler(fresh));
    CHECK_EQ(SendRaw(sockets.b.get(), "x", 1), 1);
    Until([&] { return fresh->count > 0; });
    CHECK_EQ(old->count, 0u);
    Thread().Remove(registration, number);
  }
}

TEST(handlers_may_add_and_remove) {
  SocketPair sockets;
  std::atomic<uint64_t> registration{0};
  std::atomic<size_t> rounds{0};
  Ref<Heard> heard;
  heard = MakeRef<Heard>([&](uint32_t) {
    Until([&] { return registration != 0; });
    Thread().Remove(registration, sockets.a.get());
    if (++rounds < 50) registration = Thread().Add(sockets.a.get(), EPOLLOUT, AsHandler(heard));
  });
  registration = Thread().Add(sockets.a.get(), EPOLLOUT, AsHandler(heard));
  Until([&] { return heard->count == 50; });
  heard = nullptr;
}

TEST(many_descriptors_are_ready_at_once) {
  constexpr size_t kCount = 300;  // more than one call reports
  std::vector<SocketPair> sockets(kCount);
  std::vector<Ref<Heard>> heard;
  std::vector<uint64_t> registrations;
  for (SocketPair& pair : sockets) {
    const int fd = pair.a.get();
    heard.push_back(MakeRef<Heard>([fd](uint32_t) {
      char byte;
      recv(fd, &byte, 1, MSG_DONTWAIT);
    }));
    CHECK_EQ(SendRaw(pair.b.get(), "x", 1), 1);
    registrations.push_back(Thread().Add(fd, EPOLLIN, AsHandler(heard.back())));
  }
  for (const Ref<Heard>& each : heard) Until([&] { return each->count >= 1; });
  for (size_t i = 0; i < kCount; ++i) Thread().Remove(registrations[i], sockets[i].a.get());
}

// --- timers ---

TEST(a_timer_runs_once_and_not_before_its_time) {
  const Time begin = Now();
  std::atomic<Time> ran{0};
  auto heard = MakeRef<Heard>([&](uint32_t) { ran = Now(); });
  Thread().After(20'000'000, AsHandler(heard));
  Until([&] { return heard->count == 1; });
  CHECK(ran - begin >= 20'000'000);
  CHECK_EQ(heard->last, 0u);
  auto later = MakeRef<Heard>();
  Thread().After(1'000'000, AsHandler(later));
  Until([&] { return later->count == 1; });
  CHECK_EQ(heard->count, 1u);
}

TEST(timers_run_in_order_whatever_the_order_in_which_they_were_set) {
  constexpr Time kApart = 5'000'000;
  for (bool told = false; !told;) {
    std::mutex mutex;
    std::vector<int> order;
    const Time begin = Now();
    for (int number : {3, 1, 4, 0, 2}) {
      Thread().After(2 * kApart + number * kApart, AsHandler(MakeRef<Heard>([&, number](uint32_t) {
                       std::lock_guard<std::mutex> lock(mutex);
                       order.push_back(number);
                     })));
    }
    told = Now() - begin < kApart;  // else they were not set at one time, and nothing is told
    Until([&] {
      std::lock_guard<std::mutex> lock(mutex);
      return order.size() == 5;
    });
    if (told) CHECK((order == std::vector<int>{0, 1, 2, 3, 4}));
  }
}

TEST(a_timer_may_set_itself_again) {
  Ref<Heard> heard;
  std::atomic<int> left{20};
  heard = MakeRef<Heard>([&](uint32_t) {
    if (--left > 0) Thread().After(100'000, AsHandler(heard));
  });
  Thread().After(0, AsHandler(heard));
  Until([&] { return heard->count == 20; });
  heard = nullptr;
}

// --- flushing ---

TEST(flush_waits_for_those_who_have_something_to_send) {
  SocketPair sockets;
  auto heard = MakeRef<Heard>(nullptr, 3);
  const uint64_t registration = Thread().Add(sockets.a.get(), EPOLLIN, AsHandler(heard));
  const IoThread::Unsent left = Thread().Flush(Now() + 30'000'000);
  CHECK_EQ(left.messages, 3u);
  CHECK_EQ(left.pipes, 1u);
  Blocker blocker([&] { CHECK_EQ(Thread().Flush(Now() + kSoon).messages, 0u); });
  blocker.WaitUntilAsleep();
  CHECK(!blocker.done());
  heard->unsent = 0;
  blocker.Join();
  Thread().Remove(registration, sockets.a.get());
}

TEST(flush_counts_everybody_once) {
  SocketPair sockets;
  auto first = MakeRef<Heard>(nullptr, 2);
  auto second = MakeRef<Heard>(nullptr, 5);
  const uint64_t one = Thread().Add(sockets.a.get(), EPOLLIN, AsHandler(first));
  const uint64_t other = Thread().Add(sockets.b.get(), EPOLLIN, AsHandler(second));
  Thread().After(50'000'000, AsHandler(first));
  const IoThread::Unsent left = Thread().Flush(Now());
  CHECK_EQ(left.messages, 7u);
  CHECK_EQ(left.pipes, 2u);
  Thread().Remove(one, sockets.a.get());
  Thread().Remove(other, sockets.b.get());
  Until([&] { return first->count == 1; });
}

TEST(flush_with_nothing_to_send_returns_at_once) {
  CHECK_EQ(Thread().Flush(Now() + kSoon).messages, 0u);
}

TEST(what_pipes_have_written_is_flushed) {
  RemotePipe pipe(kTinyBuffer);
  for (int i = 0; i < 200; ++i) CHECK_OK(Write(pipe.a, Pattern(1'000, i)));
  const IoThread::Unsent left = Thread().Flush(Now() + 20'000'000);
  CHECK_EQ(left.pipes, 1u);
  CHECK(left.messages > 150 && left.messages < 200);
  std::thread reader([&] {
    for (int i = 0; i < 200; ++i) CHECK(AwaitText(pipe.b) == Pattern(1'000, i));
  });
  CHECK_EQ(Thread().Flush(Now() + kSoon).messages, 0u);
  reader.join();
}

// --- the thread itself ---

TEST(it_can_be_stopped_and_started_again) {
  SocketPair sockets;
  const int fd = sockets.a.get();
  auto heard = MakeRef<Heard>([&](uint32_t) {
    char byte;
    recv(fd, &byte, 1, MSG_DONTWAIT);
  });
  Thread().Stop();  // it has not even begun
  const uint64_t registration = Thread().Add(fd, EPOLLIN, AsHandler(heard));
  for (size_t i = 1; i <= 20; ++i) {
    Thread().Stop();
    CHECK_EQ(SendRaw(sockets.b.get(), "x", 1), 1);
    Thread().After(0, AsHandler(MakeRef<Heard>()));  // somebody needs it
    Until([&] { return heard->count == i; });
  }
  Thread().Remove(registration, fd);
}

TEST(it_is_stopped_while_others_start_it) {
  std::atomic<bool> stop{false};
  RunTogether(3, [&](size_t thread) {
    if (thread == 0) {
      for (int i = 0; i < 2'000; ++i) Thread().Stop();
      stop = true;
      return;
    }
    SocketPair sockets;
    const auto heard = MakeRef<Heard>();
    for (size_t timers = 0; !stop;) {
      const uint64_t registration = Thread().Add(sockets.a.get(), EPOLLOUT, AsHandler(heard));
      // No more of them than it can serve: it is stopped most of the time.
      if (timers < heard->count + 100) {
        Thread().After(0, AsHandler(heard));
        ++timers;
      }
      Thread().Remove(registration, sockets.a.get());
    }
  });
  auto last = MakeRef<Heard>();
  Thread().After(0, AsHandler(last));
  Until([&] { return last->count == 1; });
}

TEST(timers_that_never_end_keep_nothing_else_waiting) {
  struct Again : public Heard {
    Again() : Heard([this](uint32_t) {
      if (!ended) Thread().After(0, Ref<IoHandler>(this));
    }) {}
    std::atomic<bool> ended{false};
  };
  const auto again = MakeRef<Again>();
  Thread().After(0, Ref<IoHandler>(again.get()));
  SocketPair sockets;
  const int fd = sockets.a.get();
  auto heard = MakeRef<Heard>([&](uint32_t) {
    char byte;
    recv(fd, &byte, 1, MSG_DONTWAIT);
  });
  const uint64_t registration = Thread().Add(fd, EPOLLIN, AsHandler(heard));
  for (size_t i = 1; i <= 20; ++i) {
    CHECK_EQ(SendRaw(sockets.b.get(), "x", 1), 1);
    Until([&] { return heard->count == i; });
    Thread().Stop();
    Thread().After(0, AsHandler(MakeRef<Heard>()));  // somebody needs it
  }
  Thread().Remove(registration, fd);
  again->ended = true;
  const size_t before = again->count;
  Until([&] { return again->count > before; });
}

TEST(signals_are_for_other_threads) {
  static std::atomic<bool> on_io_thread{false};
  static std::atomic<int> handled{0};
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {
    if (OnIoThread()) on_io_thread = true;
    ++handled;
  };
  sigaction(SIGUSR1, &action, &before);
  auto heard = MakeRef<Heard>();
  Thread().After(0, AsHandler(heard));
  Until([&] { return heard->count == 1; });
  for (int i = 1; i <= 200; ++i) {
    kill(getpid(), SIGUSR1);
    Until([&] { return handled >= i; });
  }
  CHECK(!on_io_thread);
  sigaction(SIGUSR1, &before, nullptr);
}

// --- lifelines ---

TEST(a_process_ends_with_its_lifeline_whatever_it_is_doing) {
  for (const bool busy : {false, true}) {
    Child child([&](ScopedFd lifeline) {
      const int fd = lifeline.get();
      Thread().WatchLifeline(std::move(lifeline));
      CHECK_EQ(send(fd, "r", 1, 0), 1);
      volatile uint64_t work = 0;
      for (;;) {
        if (!busy) pause();
        work = work + 1;
      }
    });
    const ScopedFd lifeline = child.TakeSocket();
    char ready;
    CHECK_EQ(recv(lifeline.get(), &ready, 1, 0), 1);
    shutdown(lifeline.get(), SHUT_RDWR);
    CHECK_EQ(child.Wait(), 1);
  }
}

TEST(bytes_on_a_lifeline_mean_nothing) {
  Child child([](ScopedFd lifeline) {
    const ScopedFd copy = Duplicate(lifeline.get());
    Thread().WatchLifeline(std::move(lifeline));
    char byte;
    for (int i = 0; i < 3; ++i) {
      CHECK_EQ(recv(copy.get(), &byte, 1, 0), 1);
      CHECK_EQ(send(copy.get(), &byte, 1, 0), 1);
    }
    for (;;) pause();
  });
  ScopedFd lifeline = child.TakeSocket();
  for (int i = 0; i < 3; ++i) {
    char byte = 'x';
    CHECK_EQ(send(lifeline.get(), &byte, 1, 0), 1);
    CHECK_EQ(recv(lifeline.get(), &byte, 1, 0), 1);
  }
  lifeline = ScopedFd();
  CHECK_EQ(child.Wait(), 1);
}

}  // namespace mojo_seq::testing::io_thread_test
