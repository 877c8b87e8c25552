#include "departure.h"

#include "bundle.h"
#include "channel.h"
#include "data_pipe.h"
#include "notification.h"
#include "platform_handle.h"
#include "shared_buffer.h"
#include "socket.h"

namespace mojo_seq {

Departure::~Departure() {
  for (const Ref<MessagePipeEndpoint>& endpoint : marked_) endpoint->MarkLeaving(false);
  for (const Ref<Dispatcher>& end : data_pipe_ends_) {
    static_cast<DataPipeEnd*>(end.get())->StayAfterAll();
  }
}

Message* Departure::Resolve(Message* message) {
  if (message->IsSerialized()) return message;
  if (serialized_) {
    auto it = serialized_->find(message->context);
    if (it != serialized_->end()) return it->second;
  }
  unserialized_.push_back(message->context);
  return nullptr;
}

void Departure::ScanPipe(size_t group, MessagePipeEndpoint* endpoint) {
  packed_.insert(endpoint);
  endpoint->MarkLeaving(true);
  marked_.emplace_back(endpoint);
  std::vector<Message*> unread;
  Ref<MessagePipeEndpoint> peer = endpoint->Unread(&unread);
  if (peer && !Leaves(peer.get())) {
    groups_.push_back({Ref<MessagePipeEndpoint>(endpoint), std::move(peer), std::move(unread)});
    return;
  }
  // Its unread messages travel beside it.
  std::vector<Message*>& messages = groups_[group].messages;
  messages.insert(messages.end(), unread.begin(), unread.end());
}

void Departure::Scan(size_t group, Message* message) {
  Message* const resolved = Resolve(message);
  if (!resolved) return;
  for (const Ref<Dispatcher>& dispatcher : resolved->dispatchers) {
    switch (dispatcher->type()) {
      case HandleType::kMessagePipe:
        ScanPipe(group, static_cast<MessagePipeEndpoint*>(dispatcher.get()));
        break;
      case HandleType::kDataPipeProducer:
      case HandleType::kDataPipeConsumer:
        data_pipe_ends_.push_back(dispatcher);
        break;
      case HandleType::kSharedBuffer:
        if (!static_cast<SharedBuffer*>(dispatcher.get())->IsSealed()) unsealed_ = true;
        break;
      case HandleType::kPlatformHandle:
        if (!static_cast<PlatformHandle*>(dispatcher.get())->HasDescriptor()) closed_ = true;
        break;
      default: break;
    }
  }
}

Result Departure::Plan(std::vector<Message*> roots) {
  roots_ = roots;
  groups_.push_back({nullptr, nullptr, std::move(roots)});
  for (size_t group = 0; group < groups_.size(); ++group) {
    // Both grow meanwhile.
    for (size_t i = 0; i < groups_[group].messages.size(); ++i) {
      Scan(group, groups_[group].messages[i]);
    }
  }
  if (!unserialized_.empty()) return Result::kUnimplemented;
  if (closed_) return Result::kNotFound;
  if (unsealed_) return Result::kPermissionDenied;
  for (size_t i = 1; i < groups_.size(); ++i) {
    ScopedFd a;
    ScopedFd b;
    if (CreateSocketPair(&a, &b) != Result::kOk) return Result::kResourceExhausted;
    sockets_.emplace_back(std::move(a), std::move(b));
  }
  for (const Ref<Dispatcher>& end : data_pipe_ends_) {
    const Result result = static_cast<DataPipeEnd*>(end.get())->PrepareToLeave();
    if (result != Result::kOk) return result;
  }
  return Result::kOk;
}

std::vector<OutFrame> Departure::Leave(uint64_t pipe) {
  marked_.clear();  // none of them comes back
  data_pipe_ends_.clear();
  // Nobody reads these queues, and whoever writes to them only appends.
  for (const Group& group : groups_) {
    if (!serialized_) break;
    for (Message* message : group.messages) UseSerialized(message, *serialized_);
  }
  std::vector<MessageList> unread(groups_.size());
  std::vector<Ref<Channel>> channels(groups_.size());
  for (size_t i = 1; i < groups_.size(); ++i) {
    MessagePipeEndpoint* const leaving = groups_[i].leaving.get();
    MessagePipeEndpoint* const staying = groups_[i].staying.get();
    channels[i] = MessagePipeEndpoint::Separate(leaving, staying, std::move(sockets_[i - 1].first),
                                                std::move(sockets_[i - 1].second),
                                                Leaves(staying) ? nullptr : &unread[i]);
  }
  for (size_t i = 1; i < groups_.size(); ++i) {
    if (Leaves(groups_[i].staying.get())) continue;
    while (Message* message = unread[i].Pop()) {
      for (OutFrame& frame : BundleWriter::Write(message, channels[i]->cookie())) {
        channels[i]->Queue(std::move(frame));
      }
      Message::Destroy(message);
    }
    channels[i]->Flush();
    channels[i]->send_mutex().unlock();  // locked since it was made
    if (!groups_[i].staying->OnMoved(channels[i].get())) channels[i]->OnOwnerClosed();
  }
  std::vector<OutFrame> result;
  for (Message* root : roots_) {
    for (OutFrame& frame : BundleWriter::Write(root, pipe)) result.push_back(std::move(frame));
  }
  return result;
}

}  // namespace mojo_seq
