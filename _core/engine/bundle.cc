#include "bundle.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "data_pipe.h"
#include "message_pipe.h"
#include "platform_handle.h"
#include "segment.h"
#include "shared_buffer.h"
#include "shared_segment.h"

namespace mojo_seq {

namespace {

constexpr size_t kInlineMeta = 32 * 1024;  // more goes in memory of its own

// Null: there is none.
Ref<SharedFd> ToMemory(const std::vector<uint8_t>& meta) {
  ScopedFd fd;
  if (CreateSharedMemory(meta.size(), &fd) != Result::kOk) return nullptr;
  for (size_t done = 0; done < meta.size();) {
    const ssize_t written = pwrite(fd.get(), meta.data() + done, meta.size() - done,
                                   static_cast<off_t>(done));
    if (written <= 0) return nullptr;
    done += static_cast<size_t>(written);
  }
  return MakeRef<SharedFd>(std::move(fd));
}

// A copy: whoever sent the memory can still change it. Null: it is not what it should be. Nobody
// makes us take more memory than they have really filled.
Ref<Payload> FromMemory(int fd, uint64_t nbytes) {
  struct stat info;
  if (nbytes == 0 || !IsSealedMemory(fd) || fstat(fd, &info) != 0) return nullptr;
  const uint64_t filled = static_cast<uint64_t>(info.st_blocks) * 512;
  if (nbytes > static_cast<uint64_t>(info.st_size) || nbytes > filled) return nullptr;
  Ref<Payload> meta = Payload::Allocate(nbytes);
  for (size_t done = 0; meta && done < nbytes;) {
    const ssize_t got = pread(fd, meta->data() + done, nbytes - done, static_cast<off_t>(done));
    if (got <= 0) return nullptr;
    done += static_cast<size_t>(got);
  }
  return meta;
}

Ref<Dispatcher> Unpack(HandleType type, BundleReader* reader) {
  switch (type) {
    case HandleType::kMessagePipe: return MessagePipeEndpoint::Unpack(reader);
    case HandleType::kDataPipeProducer:
    case HandleType::kDataPipeConsumer: return UnpackDataPipeEnd(type, reader);
    case HandleType::kSharedBuffer: return SharedBuffer::Unpack(reader);
    case HandleType::kPlatformHandle: return PlatformHandle::Unpack(reader);
    case HandleType::kSharedSegment: return SharedSegment::Unpack(reader);
    case HandleType::kWatcher: break;
  }
  return nullptr;
}

}  // namespace

// --- writing ---

void BundleWriter::WriteMessage(Message* message) {
  Number<uint32_t>(static_cast<uint32_t>(message->dispatchers.size()));
  for (const Ref<Dispatcher>& dispatcher : message->dispatchers) {
    Number<uint8_t>(static_cast<uint8_t>(dispatcher->type()));
    dispatcher->Pack(this);
  }
  message->dispatchers.clear();
}

std::vector<OutFrame> BundleWriter::Write(Message* message, uint64_t pipe) {
  BundleWriter writer(pipe);
  if (!message->dispatchers.empty()) writer.WriteMessage(message);
  while (Message* next = writer.messages_.Pop()) {
    const uint32_t self = static_cast<uint32_t>(getpid());
    writer.Number<uint32_t>(next->sender != 0 ? next->sender : self);
    writer.Number<uint64_t>(next->size);
    if (next->size > 0) writer.Bytes(next->payload->data(), next->size);
    writer.WriteMessage(next);
    Message::Destroy(next);
  }
  return writer.ToFrames(*message);
}

std::vector<OutFrame> BundleWriter::ToFrames(const Message& message) {
  FrameHeader header = MakeHeader(meta_.size(), message.size);
  if (message.sender != 0) header.sender = message.sender;
  std::vector<Ref<SharedFd>> descriptors;
  if (meta_.size() > kInlineMeta) {
    // Without memory for it, it is still meta in the stream, as long as that is allowed.
    if (Ref<SharedFd> memory = ToMemory(meta_)) {
      descriptors.push_back(std::move(memory));
      header.flags |= kMetaInMemory;
    }
  }
  if (Segment* segment = Segment::Of(message)) {
    descriptors.push_back(segment->Lend(pipe_));
    header.flags |= kPayloadInMemory;
  }
  for (Ref<SharedFd>& fd : descriptors_) descriptors.push_back(std::move(fd));

  std::vector<OutFrame> frames = SplitDescriptors(header, std::move(descriptors));
  OutFrame& last = frames.back();
  if (!(header.flags & kMetaInMemory)) {
    last.head.insert(last.head.end(), meta_.begin(), meta_.end());
  }
  last.payload = message.payload;  // kept until it is sent, also if it goes as a descriptor
  last.payload_bytes = header.inline_payload();
  return frames;
}

// --- reading ---

bool BundleReader::Bytes(std::vector<uint8_t>* bytes, uint64_t nbytes) {
  if (nbytes > left()) return false;
  bytes->resize(nbytes);
  return Bytes(bytes->data(), nbytes);
}

bool BundleReader::Descriptor(ScopedFd* fd) {
  if (next_descriptor_ == descriptors_.size()) return false;
  *fd = std::move(descriptors_[next_descriptor_++]);
  return true;
}

bool BundleReader::Descriptors(std::vector<ScopedFd>* fds, uint64_t count) {
  if (count > descriptors_.size() - next_descriptor_) return false;
  for (uint64_t i = 0; i < count; ++i) fds->push_back(std::move(descriptors_[next_descriptor_++]));
  return true;
}

void BundleReader::Messages(uint64_t count, Ref<RefCounted> owner, MessageList* target) {
  if (count > 0) awaited_.push_back({count, std::move(owner), target});
}

bool BundleReader::ReadMessage(Message* message, bool first) {
  if (!first) {
    uint64_t nbytes = 0;
    if (!Number(&message->sender) || !Number(&nbytes)) return false;
    if (nbytes > left()) return false;
    if (nbytes > 0) {
      message->payload = Payload::Allocate(nbytes);
      if (!message->payload || !Bytes(message->payload->data(), nbytes)) return false;
      message->size = nbytes;
    }
  }
  uint32_t count = 0;
  if (!Number(&count) || count > kMaxMessageHandles || count > left()) return false;
  message->dispatchers.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    uint8_t type = 0;
    if (!Number(&type)) return false;
    Ref<Dispatcher> dispatcher = Unpack(static_cast<HandleType>(type), this);
    if (!dispatcher) return false;
    message->dispatchers.push_back(std::move(dispatcher));
  }
  return true;
}

bool BundleReader::ReadAll(Message* message) {
  if (!ReadMessage(message, true)) return false;
  for (size_t i = 0; i < awaited_.size(); ++i) {
    while (awaited_[i].count > 0) {
      --awaited_[i].count;
      auto* const next = new Message;
      awaited_[i].target->Push(next);  // from here on it dies with its pipe
      if (!ReadMessage(next, false)) return false;
    }
  }
  return true;
}

bool BundleReader::ReadMeta(InFrame* frame) {
  descriptors_ = std::move(frame->descriptors);
  meta_ = std::move(frame->meta);
  if (!(frame->header.flags & kMetaInMemory)) return true;
  ScopedFd memory;
  if (!Descriptor(&memory)) return false;
  meta_ = FromMemory(memory.get(), frame->header.meta_bytes);
  return static_cast<bool>(meta_);
}

Message* BundleReader::Read(InFrame&& frame, uint64_t pipe) {
  auto* const message = new Message;
  message->sender = frame.header.sender;
  message->payload = std::move(frame.payload);
  message->size = frame.header.payload_bytes;
  if (frame.header.flags == 0 && frame.header.meta_bytes == 0 && frame.descriptors.empty()) {
    return message;
  }
  BundleReader reader(pipe);
  bool good = reader.ReadMeta(&frame);
  if (good && (frame.header.flags & kPayloadInMemory)) {
    ScopedFd memory;
    good = reader.Descriptor(&memory) &&
           Segment::Receive(std::move(memory), message->size, pipe, &message->payload);
  }
  if (good && frame.header.meta_bytes > 0) good = reader.ReadAll(message);
  good = good && reader.left() == 0 && reader.next_descriptor_ == reader.descriptors_.size();
  if (good) {
    for (const Ref<Dispatcher>& dispatcher : reader.arriving_) dispatcher->OnArrived();
    return message;
  }
  Message::Destroy(message);
  return nullptr;
}

}  // namespace mojo_seq
