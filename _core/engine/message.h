// Message: what travels on a message pipe. Either serialized (a payload) or not (a context, an
// object of the embedder's that is handed over as it is), with dispatchers attached to either.
//
// A message has one owner at a time and no lock: the owner is a pipe's queue or the reader.
#pragma once

#include <cstring>
#include <vector>

#include "dispatcher.h"

namespace mojo_seq {

// More handles or bytes than this in one message are refused, written or received.
constexpr size_t kMaxMessageHandles = size_t{1} << 20;
size_t MaxMessageBytes();
void SetMaxMessageBytes(size_t nbytes);

// The bytes of a serialized message. Shared with the views that readers hold.
class Payload : public RefCounted {
 public:
  // Null if there is no memory.
  static Ref<Payload> Allocate(size_t capacity, bool zeroed = false);
  // Over memory that `owner` keeps. Null if there is no memory.
  static Ref<Payload> Over(uint8_t* data, size_t capacity, Ref<RefCounted> owner);

  uint8_t* data() { return data_; }
  size_t capacity() const { return capacity_; }
  RefCounted* owner() const { return owner_.get(); }

  static void operator delete(void* memory) { free(memory); }

 private:
  Payload(uint8_t* data, size_t capacity, Ref<RefCounted> owner)
      : data_(data), capacity_(capacity), owner_(std::move(owner)) {}

  uint8_t* const data_;
  const size_t capacity_;
  const Ref<RefCounted> owner_;  // null: the bytes follow this object
  LiveCounter<Kind::kPayload> counter_;
};

struct Message {
  // Called when a message dies with its context still in it. On any thread; must not block.
  using ContextRelease = void (*)(void* context);

  Message() = default;
  ~Message();
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  // Destroys a message and everything in it, iteratively. Null is allowed.
  static void Destroy(Message* message);

  bool IsSerialized() const { return context == nullptr; }

  Message* next = nullptr;  // the list that owns it
  Ref<Payload> payload;     // null: no bytes
  size_t size = 0;
  void* context = nullptr;
  ContextRelease release = nullptr;
  uint32_t sender = 0;      // the process that wrote it, 0 if this one
  std::vector<Ref<Dispatcher>> dispatchers;  // in transit
  LiveCounter<Kind::kMessage> counter;
};

// Handles that are being attached to a message: all of them are, or none is.
class Attachment {
 public:
  Attachment() = default;
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment() { Abort(); }

  void Add(Dispatcher* dispatcher, HandleValue value) { items_.push_back({dispatcher, value, {}}); }
  size_t size() const { return items_.size(); }
  Dispatcher* at(size_t index) const { return items_[index].dispatcher; }
  bool HasMessagePipe() const;

  // Takes the values of all handles, or changes nothing and says which one is to blame.
  // kInvalidArgument (a dead handle, a watcher) goes before kBusy (two-phase, listed twice).
  Result Check(size_t* blamed) const;  // what Begin would say of dead handles and watchers
  Result Begin(size_t* blamed);
  // Puts the dispatchers into the message; the caller may still change its mind and Abort, after
  // taking them out again.
  void MoveInto(Message* message) const;
  void Abort();
  // The message is on its way: the handles' watches end.
  void Commit();

 private:
  struct Item {
    Dispatcher* dispatcher;  // kept alive by the caller until Commit
    HandleValue value;
    Observer::List observers;
  };
  std::vector<Item> items_;
  bool begun_ = false;
};

}  // namespace mojo_seq
