// The engine as its callers use it: every call ends with the dispatch of what it provoked, every
// open handle has an owner that closes it.
#pragma once

#include <utility>

#include "dispatcher.h"
#include "notification.h"

namespace mojo_seq::testing {

// Around each call of the public API.
class ApiCall {
 public:
  ApiCall() = default;
  ~ApiCall() {
    if (HasPendingDispatch()) DispatchPending();
  }
  ApiCall(const ApiCall&) = delete;
  ApiCall& operator=(const ApiCall&) = delete;
};

// An open handle. Sending it elsewhere leaves this with a stale value, as in the binding.
template <typename T>
class Handle {
 public:
  Handle() = default;
  explicit Handle(Ref<T> object) : object_(std::move(object)), value_(object_->Adopt()) {}
  // A handle that somebody else closes: a second wrapper of the same value.
  Handle(Ref<T> object, HandleValue value) : object_(std::move(object)), value_(value) {}
  Handle(Handle&& other) noexcept
      : object_(std::move(other.object_)), value_(std::exchange(other.value_, 0)) {}
  Handle& operator=(Handle&& other) noexcept {
    Handle old(std::move(*this));
    object_ = std::move(other.object_);
    value_ = std::exchange(other.value_, 0);
    return *this;
  }
  ~Handle() {
    if (object_) Close();
  }

  T* get() const { return object_.get(); }
  T* operator->() const { return object_.get(); }
  const Ref<T>& ref() const { return object_; }
  Ref<Dispatcher> dispatcher() const { return Ref<Dispatcher>(object_.get()); }
  HandleValue value() const { return value_; }
  bool is_open() const { return object_ && value_ != 0 && object_->value() == value_; }

  Result Close() const {
    ApiCall call;
    return object_->Close(value_);
  }
  // Of a handle that must be open.
  SignalsState State() const {
    SignalsState state;
    CHECK_OK(object_->QueryState(value_, &state));
    return state;
  }

 private:
  Ref<T> object_;
  HandleValue value_ = 0;
};

}  // namespace mojo_seq::testing

#define CHECK_STATE(handle, satisfied_signals, satisfiable_signals)                \
  do {                                                                             \
    const ::mojo_seq::SignalsState state_of_handle = (handle).State();             \
    CHECK_EQ(state_of_handle.satisfied, ::mojo_seq::Signals{satisfied_signals});     \
    CHECK_EQ(state_of_handle.satisfiable, ::mojo_seq::Signals{satisfiable_signals}); \
  } while (0)
