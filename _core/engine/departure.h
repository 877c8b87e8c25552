// Departure: what leaves the process with a message, planned first and then done, because the plan
// can fail and the doing cannot.
//
// A pipe whose two ends were here becomes one between processes: it gets a socket pair, the end
// that stays takes one socket, and what was unread at the end that leaves is sent ahead of whatever
// is written next. So there are several places to send to. If both ends leave, nothing is sent
// through the new sockets: what is unread travels beside its end. (A socket that had to be sent
// through itself, by way of what is unread, would never arrive.)
//
// All of it with the transit mutex held.
#pragma once

#include <unordered_set>
#include <vector>

#include "message_pipe.h"
#include "scoped_fd.h"

namespace mojo_seq {

class Departure {
 public:
  // `serialized`: stands for the messages that have these contexts; may be null.
  explicit Departure(const SerializedMessages* serialized) : serialized_(serialized) {}
  ~Departure();
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

  // Changes nothing that can be seen.
  // kUnimplemented: something is not serialized; see `unserialized`.
  // kNotFound: a platform handle whose descriptor somebody else has closed.
  // kPermissionDenied: a shared buffer whose memory can still shrink under those who map it.
  // kResourceExhausted: no descriptors.
  Result Plan(std::vector<Message*> roots);
  const std::vector<void*>& unserialized() const { return unserialized_; }

  // After a good plan: the frames to be sent for the roots, over the pipe with that number, which have no dispatchers afterwards.
  std::vector<OutFrame> Leave(uint64_t pipe);

 private:
  // Messages that go to one place: to `staying`, whose peer `leaving` is, or to where the roots go.
  struct Group {
    Ref<MessagePipeEndpoint> leaving;
    Ref<MessagePipeEndpoint> staying;
    std::vector<Message*> messages;
  };

  Message* Resolve(Message* message);
  void Scan(size_t group, Message* message);
  void ScanPipe(size_t group, MessagePipeEndpoint* endpoint);
  bool Leaves(const MessagePipeEndpoint* endpoint) const { return packed_.count(endpoint) != 0; }

  const SerializedMessages* const serialized_;
  std::vector<Message*> roots_;
  std::vector<Group> groups_;
  std::vector<Ref<MessagePipeEndpoint>> marked_;
  std::unordered_set<const MessagePipeEndpoint*> packed_;
  std::vector<std::pair<ScopedFd, ScopedFd>> sockets_;
  std::vector<Ref<Dispatcher>> data_pipe_ends_;
  std::vector<void*> unserialized_;
  bool unsealed_ = false;
  bool closed_ = false;
};

}  // namespace mojo_seq
