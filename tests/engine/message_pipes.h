// Message pipes for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api.h"
#include "check.h"
#include "message_pipe.h"

namespace mojo_seq::testing {

using PipeEnd = Handle<MessagePipeEndpoint>;

struct Pipe {
  Pipe() {
    Ref<MessagePipeEndpoint> first, second;
    MessagePipeEndpoint::CreatePair(&first, &second);
    a = PipeEnd(std::move(first));
    b = PipeEnd(std::move(second));
  }
  PipeEnd a, b;
};

struct DestroyMessage {
  void operator()(Message* message) const {
    ApiCall call;
    Message::Destroy(message);
  }
};
using OwnedMessage = std::unique_ptr<Message, DestroyMessage>;

inline OwnedMessage MakeMessage(const std::string& text) {
  OwnedMessage message(new Message);
  if (!text.empty()) {
    message->payload = Payload::Allocate(text.size());
    memcpy(message->payload->data(), text.data(), text.size());
    message->size = text.size();
  }
  return message;
}

inline std::string TextOf(const Message& message) {
  if (message.size == 0) return {};
  return {reinterpret_cast<const char*>(message.payload->data()), message.size};
}

// A handle to attach: what it is and the value that its owner believes in.
struct Attached {
  template <typename T>
  Attached(const Handle<T>& handle) : dispatcher(handle.get()), value(handle.value()) {}
  Dispatcher* dispatcher;
  HandleValue value;
};

// On success the message belongs to the pipe.
inline Result WriteMessage(const PipeEnd& end, OwnedMessage& message,
                           const std::vector<Attached>& handles = {}, size_t* blamed = nullptr) {
  ApiCall call;
  Attachment attachment;
  for (const Attached& each : handles) attachment.Add(each.dispatcher, each.value);
  size_t ignored;
  const Result result =
      end->Write(end.value(), message.get(), handles.empty() ? nullptr : &attachment,
                 blamed ? blamed : &ignored);
  if (result == Result::kOk) message.release();
  return result;
}

inline Result Write(const PipeEnd& end, const std::string& text,
                    const std::vector<Attached>& handles = {}, size_t* blamed = nullptr) {
  OwnedMessage message = MakeMessage(text);
  return WriteMessage(end, message, handles, blamed);
}

// Puts handles into a message that is not written yet.
inline void AttachTo(Message& message, const std::vector<Attached>& handles) {
  ApiCall call;
  Attachment attachment;
  for (const Attached& each : handles) attachment.Add(each.dispatcher, each.value);
  size_t ignored;
  CHECK_OK(attachment.Begin(&ignored));
  attachment.MoveInto(&message);
  attachment.Commit();
}

inline Result Read(const PipeEnd& end, OwnedMessage* message) {
  ApiCall call;
  Message* read = nullptr;
  const Result result = end->Read(end.value(), &read);
  message->reset(read);
  return result;
}

// The text of the next message, which must be there; what it carries is closed.
inline std::string ReadText(const PipeEnd& end) {
  OwnedMessage message;
  CHECK_OK(Read(end, &message));
  return TextOf(*message);
}

// Takes the handles out of a message, in order.
inline std::vector<Ref<Dispatcher>> TakeDispatchers(Message& message) {
  std::vector<Ref<Dispatcher>> taken;
  taken.swap(message.dispatchers);
  return taken;
}

template <typename T>
Handle<T> Receive(const Ref<Dispatcher>& dispatcher) {
  return Handle<T>(Ref<T>(static_cast<T*>(dispatcher.get())));
}

// Reads a message that carries one handle, of this type.
template <typename T>
Handle<T> ReadHandle(const PipeEnd& end) {
  OwnedMessage message;
  CHECK_OK(Read(end, &message));
  CHECK_EQ(message->dispatchers.size(), 1u);
  return Receive<T>(TakeDispatchers(*message)[0]);
}

inline Result Fuse(const PipeEnd& a, const PipeEnd& b) {
  ApiCall call;
  return MessagePipeEndpoint::Fuse(a.get(), a.value(), b.get(), b.value());
}

}  // namespace mojo_seq::testing
