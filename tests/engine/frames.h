// Frames for tests, right and wrong ones.
#pragma once

#include <string>
#include <vector>

#include "check.h"
#include "frame.h"

namespace mojo_seq::testing {

using ByteVector = std::vector<uint8_t>;

template <typename T>
void Append(ByteVector* bytes, const T& value) {
  const auto* const begin = reinterpret_cast<const uint8_t*>(&value);
  bytes->insert(bytes->end(), begin, begin + sizeof value);
}
inline void Append(ByteVector* bytes, const std::string& text) {
  bytes->insert(bytes->end(), text.begin(), text.end());
}
inline void Append(ByteVector* bytes, const ByteVector& more) {
  bytes->insert(bytes->end(), more.begin(), more.end());
}

inline ByteVector FrameOf(const FrameHeader& header, const std::string& body = {}) {
  ByteVector bytes;
  Append(&bytes, header);
  Append(&bytes, body);
  return bytes;
}
inline ByteVector PlainFrame(const std::string& payload) {
  return FrameOf(MakeHeader(0, payload.size()), payload);
}
// With meta in the stream, and room for descriptors.
inline ByteVector MetaFrame(const ByteVector& meta, size_t descriptors,
                            const std::string& payload = {}) {
  FrameHeader header = MakeHeader(meta.size(), payload.size());
  header.descriptors = static_cast<uint16_t>(descriptors);
  ByteVector bytes;
  Append(&bytes, header);
  Append(&bytes, meta);
  Append(&bytes, payload);
  return bytes;
}
inline ByteVector DescriptorsFrame(size_t count) {
  FrameHeader header = MakeHeader(0, 0);
  header.type = FrameType::kDescriptors;
  header.descriptors = static_cast<uint16_t>(count);
  return FrameOf(header);
}

inline std::string TextOf(const InFrame& frame) {
  if (frame.header.payload_bytes == 0) return {};
  return {reinterpret_cast<const char*>(frame.payload->data()), frame.header.payload_bytes};
}

inline ByteVector MetaOf(const InFrame& frame) {
  if (!frame.meta) return {};
  return {frame.meta->data(), frame.meta->data() + frame.meta->capacity()};
}
inline Ref<Payload> ToPayload(const ByteVector& bytes) {
  if (bytes.empty()) return nullptr;
  Ref<Payload> payload = Payload::Allocate(bytes.size());
  memcpy(payload->data(), bytes.data(), bytes.size());
  return payload;
}

}  // namespace mojo_seq::testing
