// Ref: intrusive reference counts.

#include "ref.h"

#include "check.h"
#include "threads.h"

namespace mojo_seq::testing::ref_test {

struct Counted : public RefCounted {
  explicit Counted(int* destroyed) : destroyed(destroyed) {}
  ~Counted() override { ++*destroyed; }
  int* destroyed;
};

struct Derived : public Counted {
  using Counted::Counted;
};

TEST(the_last_reference_destroys_once) {
  int destroyed = 0;
  {
    Ref<Counted> a = MakeRef<Counted>(&destroyed);
    CHECK(a->HasOneRef());
    Ref<Counted> b = a;
    CHECK(!a->HasOneRef());
    CHECK(b.get() == a.get());
    a = nullptr;
    CHECK(!a);
    CHECK(b->HasOneRef());
    CHECK_EQ(destroyed, 0);
  }
  CHECK_EQ(destroyed, 1);
}

TEST(moving_takes_the_reference_along) {
  int destroyed = 0;
  Ref<Derived> a = MakeRef<Derived>(&destroyed);
  Counted* const object = a.get();
  Ref<Counted> b = std::move(a);
  CHECK(b.get() == object);
  CHECK(b->HasOneRef());
  Ref<Counted> c;
  c = std::move(b);
  CHECK(c->HasOneRef());
  c = c;  // NOLINT: to itself
  CHECK(c->HasOneRef());
  CHECK_EQ(destroyed, 0);
}

TEST(detach_and_adopt_hand_over_a_reference) {
  int destroyed = 0;
  Ref<Counted> a = MakeRef<Counted>(&destroyed);
  Counted* const raw = a.Detach();
  CHECK(!a);
  CHECK_EQ(destroyed, 0);
  Ref<Counted> second(raw);
  CHECK(!raw->HasOneRef());
  Ref<Counted> first = Ref<Counted>::Adopt(raw);
  second = nullptr;
  CHECK(first->HasOneRef());
  first = nullptr;
  CHECK_EQ(destroyed, 1);
}

TEST(threads_may_share_an_object) {
  int destroyed = 0;
  {
    Ref<Counted> shared = MakeRef<Counted>(&destroyed);
    RunTogether(4, [&](size_t) {
      for (int i = 0; i < 20'000; ++i) {
        Ref<Counted> mine = shared;
        Ref<Counted> moved = std::move(mine);
        CHECK(!moved->HasOneRef());
      }
    });
    CHECK(shared->HasOneRef());
  }
  CHECK_EQ(destroyed, 1);
}

TEST(the_thread_that_is_last_sees_what_the_others_did) {
  struct Slots : public RefCounted {
    ~Slots() override {
      for (int slot : slots) CHECK_EQ(slot, 1);
    }
    int slots[2] = {};
  };
  for (int round = 0; round < 2'000; ++round) {
    Ref<Slots> refs[2];
    refs[0] = MakeRef<Slots>();
    refs[1] = refs[0];
    std::thread other([&] {
      refs[1]->slots[1] = 1;
      refs[1] = nullptr;
    });
    refs[0]->slots[0] = 1;
    refs[0] = nullptr;
    other.join();
  }
}

}  // namespace mojo_seq::testing::ref_test
