#include "frame.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "fork.h"

namespace mojo_seq {

namespace {

constexpr size_t kHeader = sizeof(FrameHeader);

}  // namespace

bool FrameHeader::IsValid() const {
  if (magic != kMagic || descriptors > kMaxFrameDescriptors) return false;
  if (type == FrameType::kDescriptors) {
    return flags == 0 && meta_bytes == 0 && payload_bytes == 0 && descriptors > 0;
  }
  if (type == FrameType::kRingOffer || type == FrameType::kRingEnd || type == FrameType::kDoorbell) {
    return flags == 0 && meta_bytes == 0 && payload_bytes == 0 &&
           descriptors == (type == FrameType::kRingOffer ? 1 : 0);
  }
  return type == FrameType::kMessage && (flags & ~(kMetaInMemory | kPayloadInMemory)) == 0 &&
         inline_meta() <= kMaxInlineMeta && payload_bytes <= MaxMessageBytes();
}

namespace {

uint16_t ToSentAt(Time now) {
  const auto time = static_cast<uint16_t>(now / kMicrosecond);
  return time == 0 ? 1 : time;
}

}  // namespace

Time SentAt(uint16_t sent_at, Time now) {
  if (sent_at == 0) return 0;
  return now - static_cast<uint16_t>(ToSentAt(now) - sent_at) * kMicrosecond;
}

FrameHeader MakeHeader(uint64_t meta_bytes, uint64_t payload_bytes) {
  // A system call each time would be a tenth of the cost of a small message.
  static thread_local uint32_t process = static_cast<uint32_t>(getpid());
  static thread_local uint32_t generation = ForkGeneration();
  if (generation != ForkGeneration()) {
    process = static_cast<uint32_t>(getpid());
    generation = ForkGeneration();
  }
  FrameHeader header;
  header.sender = process;
  header.processor = static_cast<uint16_t>(sched_getcpu() + 1);
  header.sent_at = ToSentAt(Now());
  header.meta_bytes = meta_bytes;
  header.payload_bytes = payload_bytes;
  return header;
}

std::vector<OutFrame> SplitDescriptors(const FrameHeader& header,
                                       std::vector<Ref<SharedFd>> descriptors) {
  std::vector<OutFrame> frames;
  size_t next = 0;
  const auto add = [&](FrameHeader head, size_t count) {
    OutFrame& frame = frames.emplace_back();
    head.descriptors = static_cast<uint16_t>(count);
    const auto* const bytes = reinterpret_cast<const uint8_t*>(&head);
    frame.head.assign(bytes, bytes + sizeof head);
    for (size_t i = 0; i < count; ++i) frame.descriptors.push_back(std::move(descriptors[next++]));
  };
  while (descriptors.size() - next > kMaxFrameDescriptors) {
    FrameHeader more = MakeHeader(0, 0);
    more.type = FrameType::kDescriptors;
    add(more, kMaxFrameDescriptors);
    frames.back().messages = 0;
  }
  add(header, descriptors.size() - next);
  return frames;
}

size_t OutFrame::AddSent(size_t nbytes) {
  sent += nbytes;
  descriptors.clear();
  const size_t before = messages;
  if (sent == bytes()) messages = 0;
  while (messages > 1 && next_end > 0 && sent >= next_end) {
    --messages;
    FrameHeader header;
    memcpy(&header, head.data() + next_end, kHeader);
    next_end += kHeader + header.inline_meta() + header.inline_payload();
  }
  return before - messages;
}

bool FrameParser::BeginBody() {
  if (!frame_.header.IsValid()) return false;
  announced_ += frame_.header.descriptors;
  if (announced_ != descriptors_.size()) return false;
  // Memory that is only promised: it takes space as the bytes arrive.
  if (const uint64_t nbytes = frame_.header.inline_meta()) {
    frame_.meta = Payload::Allocate(nbytes);
    if (!frame_.meta) return false;
  }
  if (const uint64_t nbytes = frame_.header.inline_payload()) {
    frame_.payload = Payload::Allocate(nbytes);
    if (!frame_.payload) return false;
  }
  return true;
}

bool FrameParser::FinishIfWhole(std::vector<InFrame>* frames) {
  if (have_ < kHeader || have_ < kHeader + body_bytes()) return true;
  have_ = 0;
  if (frame_.header.type == FrameType::kDescriptors) return descriptors_.size() <= kMaxMessageHandles * 2;
  frame_.descriptors = std::move(descriptors_);
  descriptors_.clear();
  announced_ = 0;
  frames->push_back(std::move(frame_));
  frame_ = InFrame();
  return true;
}

uint8_t* FrameParser::body_target() {
  const size_t done = have_ - kHeader;
  const size_t meta = frame_.header.inline_meta();
  return done < meta ? frame_.meta->data() + done : frame_.payload->data() + (done - meta);
}

size_t FrameParser::body_missing() const {
  if (have_ < kHeader) return 0;
  const size_t done = have_ - kHeader;
  const size_t meta = frame_.header.inline_meta();
  return done < meta ? meta - done : meta + frame_.header.inline_payload() - done;
}

bool FrameParser::Filled(size_t nbytes, std::vector<InFrame>* frames) {
  have_ += nbytes;
  return FinishIfWhole(frames);
}

// Frames that are here whole and have nothing but a payload: most are. Returns the bytes of them.
size_t FrameParser::FeedPlain(const uint8_t* data, size_t nbytes, std::vector<InFrame>* frames) {
  if (have_ > 0 || !descriptors_.empty()) return 0;
  size_t done = 0;
  while (nbytes - done >= kHeader) {
    FrameHeader header;
    memcpy(&header, data + done, kHeader);
    const uint64_t payload = header.payload_bytes;
    if (header.flags != 0 || header.meta_bytes != 0 || header.descriptors != 0 ||
        payload > nbytes - done - kHeader || !header.IsValid()) {
      break;
    }
    InFrame& frame = frames->emplace_back();
    frame.header = header;
    if (payload > 0) {
      frame.payload = Payload::Allocate(payload);
      if (!frame.payload) {
        frames->pop_back();
        break;
      }
      memcpy(frame.payload->data(), data + done + kHeader, payload);
    }
    done += kHeader + payload;
  }
  return done;
}

bool FrameParser::Feed(const uint8_t* data, size_t nbytes, std::vector<InFrame>* frames) {
  while (nbytes > 0) {
    size_t amount = FeedPlain(data, nbytes, frames);
    data += amount;
    nbytes -= amount;
    if (amount > 0) continue;
    if (have_ < kHeader) {
      amount = std::min(nbytes, kHeader - have_);
      memcpy(reinterpret_cast<uint8_t*>(&frame_.header) + have_, data, amount);
      have_ += amount;
      if (have_ == kHeader && !BeginBody()) return false;
    } else {
      amount = std::min(nbytes, body_missing());
      memcpy(body_target(), data, amount);
      have_ += amount;
    }
    data += amount;
    nbytes -= amount;
    if (!FinishIfWhole(frames)) return false;
  }
  return true;
}

bool FrameParser::FindDescriptors(const uint8_t* data, size_t nbytes, size_t* before,
                                  size_t* count) const {
  // A header that has begun came without descriptors, or they would be here already.
  uint64_t position = 0;
  if (have_ >= kHeader) {
    position = kHeader + body_bytes() - have_;
  } else if (have_ > 0) {
    FrameHeader header = frame_.header;
    const size_t missing = kHeader - have_;
    if (nbytes < missing) return false;
    memcpy(reinterpret_cast<uint8_t*>(&header) + have_, data, missing);
    if (!header.IsValid()) return false;
    position = missing + header.inline_meta() + header.inline_payload();
  }
  while (position < nbytes) {
    if (nbytes - position < kHeader) {
      *before = position;
      *count = 0;  // not to be seen yet
      return position > 0;
    }
    FrameHeader header;
    memcpy(&header, data + position, kHeader);
    if (!header.IsValid()) return false;
    if (header.descriptors > 0) {
      *before = position;
      *count = header.descriptors;
      return true;
    }
    position += kHeader + header.inline_meta() + header.inline_payload();
  }
  return false;
}

void FrameParser::AddDescriptors(std::vector<ScopedFd> descriptors) {
  for (ScopedFd& fd : descriptors) descriptors_.push_back(std::move(fd));
}

void FrameParser::TakeBegun(std::vector<uint8_t>* bytes, std::vector<ScopedFd>* descriptors) {
  *descriptors = std::move(descriptors_);
  descriptors_.clear();
  if (have_ > 0) {
    const auto* const header = reinterpret_cast<const uint8_t*>(&frame_.header);
    bytes->assign(header, header + std::min(have_, kHeader));
    const size_t body = have_ > kHeader ? have_ - kHeader : 0;
    const size_t meta = body > 0 ? std::min<size_t>(body, frame_.header.inline_meta()) : 0;
    if (meta > 0) bytes->insert(bytes->end(), frame_.meta->data(), frame_.meta->data() + meta);
    if (body > meta) {
      bytes->insert(bytes->end(), frame_.payload->data(), frame_.payload->data() + (body - meta));
    }
  }
  have_ = 0;
  announced_ = 0;
  frame_ = InFrame();
}

bool FrameParser::GiveBegun(const std::vector<uint8_t>& bytes,
                            std::vector<ScopedFd> descriptors) {
  announced_ = descriptors.size();
  descriptors_ = std::move(descriptors);
  if (bytes.size() >= kHeader) {
    FrameHeader header;
    memcpy(&header, bytes.data(), kHeader);
    if (header.descriptors > announced_) return false;
    announced_ -= header.descriptors;  // it is announced again just now
  }
  std::vector<InFrame> whole;
  return Feed(bytes.data(), bytes.size(), &whole) && whole.empty();
}

}  // namespace mojo_seq
