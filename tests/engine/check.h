// The smallest test framework that will do: a registry of named tests and checks that end the
// process. A check may fail on any thread, so it does not throw: it reports and exits.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace mojo_seq::testing {

struct Test {
  std::string name;  // FILE.NAME, the file without its _test.cc
  void (*run)();
};

inline std::vector<Test>& Tests() {
  static auto* const tests = new std::vector<Test>;
  return *tests;
}

struct Registration {
  Registration(const char* file, const char* name, void (*run)()) {
    std::string stem(file);
    stem = stem.substr(stem.rfind('/') + 1);
    stem = stem.substr(0, stem.find("_test.cc"));
    stem = stem.substr(0, stem.find(".cc"));
    Tests().push_back({stem + "." + name, run});
  }
};

[[noreturn]] inline void Fail(const char* file, int line, const std::string& text) {
  fprintf(stderr, "%s:%d: check failed: %s\n", file, line, text.c_str());
  fflush(stderr);
  _exit(1);
}

template <typename T>
void Show(std::ostream& out, const T& value) {
  if constexpr (std::is_enum_v<T>) {
    out << static_cast<int64_t>(value);
  } else {
    out << value;
  }
}

template <typename A, typename B>
void CheckEqual(const A& a, const B& b, const char* text, const char* file, int line) {
  if (a == b) return;
  std::ostringstream out;
  out << text << ": ";
  Show(out, a);
  out << " and ";
  Show(out, b);
  Fail(file, line, out.str());
}

}  // namespace mojo_seq::testing

#define TEST(name)                                                                           \
  static void name();                                                                        \
  static const ::mojo_seq::testing::Registration registration_of_##name{__FILE__, #name, name}; \
  static void name()

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) ::mojo_seq::testing::Fail(__FILE__, __LINE__, #condition); \
  } while (0)

#define CHECK_EQ(a, b) ::mojo_seq::testing::CheckEqual((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_OK(result) CHECK_EQ(result, ::mojo_seq::Result::kOk)
