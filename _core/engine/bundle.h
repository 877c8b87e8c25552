// Bundle: how handles, and what travels with them, are written into the meta of a frame.
//
//   count of messages; for each: sender, payload (not that of the first, which follows the meta),
//   count of handles; for each: type, what the dispatcher writes of itself
//
// The first message is the one that is sent. The others are unread messages of pipes that leave,
// in the order in which their pipes are met: a list to be worked off, not a recursion, for pipes
// may be nested as deeply as anybody likes.
//
// A reader believes nothing: every length is checked, every descriptor is checked by whoever takes
// it, and what is left over makes the whole thing invalid.
#pragma once

#include <cstring>
#include <vector>

#include "frame.h"

namespace mojo_seq {

class BundleWriter {
 public:
  // The number of the pipe that it goes over, 0 if that is not known.
  uint64_t pipe() const { return pipe_; }

  template <typename T>
  void Number(T value) {
    static_assert(std::is_integral_v<T>);
    Bytes(&value, sizeof value);
  }
  void Bytes(const void* data, size_t nbytes) {
    const auto* const bytes = static_cast<const uint8_t*>(data);
    meta_.insert(meta_.end(), bytes, bytes + nbytes);
  }
  void Descriptor(Ref<SharedFd> fd) { descriptors_.push_back(std::move(fd)); }
  // Takes the messages; they are written later.
  void Messages(MessageList* messages) { messages_.Splice(*messages); }

  // The frames of `message` and of all that leaves with it; empties it of its dispatchers.
  // The payload stays shared.
  static std::vector<OutFrame> Write(Message* message, uint64_t pipe = 0);

 private:
  explicit BundleWriter(uint64_t pipe) : pipe_(pipe) {}
  void WriteMessage(Message* message);
  std::vector<OutFrame> ToFrames(const Message& message);

  const uint64_t pipe_;
  std::vector<uint8_t> meta_;
  std::vector<Ref<SharedFd>> descriptors_;
  MessageList messages_;
};

class BundleReader {
 public:
  // The number of the pipe that it came on, 0 if that is not known.
  uint64_t pipe() const { return pipe_; }

  template <typename T>
  bool Number(T* value) {
    static_assert(std::is_integral_v<T>);
    return Bytes(value, sizeof *value);
  }
  bool Bytes(void* data, size_t nbytes) {
    if (nbytes > left()) return false;
    if (nbytes > 0) memcpy(data, meta_->data() + position_, nbytes);
    position_ += nbytes;
    return true;
  }
  bool Bytes(std::vector<uint8_t>* bytes, uint64_t nbytes);
  bool Descriptor(ScopedFd* fd);
  bool Descriptors(std::vector<ScopedFd>* fds, uint64_t count);
  // Announces `count` messages that will be read into `target`, which `owner` keeps.
  void Messages(uint64_t count, Ref<RefCounted> owner, MessageList* target);

  // To be told when everything has been read.
  void Arriving(Ref<Dispatcher> dispatcher) { arriving_.push_back(std::move(dispatcher)); }

  // Null: the frame is not what it should be. Its descriptors are closed.
  static Message* Read(InFrame&& frame, uint64_t pipe = 0);

 private:
  struct Awaited {
    uint64_t count;
    Ref<RefCounted> owner;
    MessageList* target;
  };

  explicit BundleReader(uint64_t pipe) : pipe_(pipe) {}
  size_t left() const { return meta_ ? meta_->capacity() - position_ : 0; }
  bool ReadMeta(InFrame* frame);
  bool ReadMessage(Message* message, bool first);
  bool ReadAll(Message* message);

  const uint64_t pipe_;
  Ref<Payload> meta_;
  size_t position_ = 0;
  std::vector<ScopedFd> descriptors_;
  size_t next_descriptor_ = 0;
  std::vector<Awaited> awaited_;  // what is still to be read, in this order
  std::vector<Ref<Dispatcher>> arriving_;
};

}  // namespace mojo_seq
