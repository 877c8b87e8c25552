// Data pipes for tests.
#pragma once

#include <string>

#include "api.h"
#include "check.h"
#include "data_pipe.h"

namespace mojo_seq::testing {

using Producer = Handle<DataPipeProducer>;
using Consumer = Handle<DataPipeConsumer>;

// Serialises the callers of one end, as the binding does.
class IoLock {
 public:
  explicit IoLock(DataPipeEnd* end) : end_(end) {
    if (!end_->TryLockIo()) end_->LockIo();
  }
  ~IoLock() { end_->UnlockIo(); }

 private:
  DataPipeEnd* const end_;
};

inline Result Write(const Producer& end, const std::string& data, size_t* written = nullptr,
                    bool all_or_none = false) {
  ApiCall call;
  IoLock lock(end.get());
  size_t nbytes = data.size();
  const Result result = end->Write(end.value(), data.data(), &nbytes, all_or_none);
  if (written) *written = nbytes;
  return result;
}

inline Result Read(const Consumer& end, std::string* data, size_t nbytes, bool all_or_none = false,
                   DataPipeConsumer::Mode mode = DataPipeConsumer::Mode::kRead) {
  ApiCall call;
  IoLock lock(end.get());
  data->assign(nbytes, '?');
  const Result result = end->Read(end.value(), data->data(), &nbytes, all_or_none, mode);
  if (result == Result::kOk) data->resize(nbytes);
  return result;
}

inline Result Discard(const Consumer& end, size_t* nbytes, bool all_or_none = false) {
  ApiCall call;
  IoLock lock(end.get());
  return end->Read(end.value(), nullptr, nbytes, all_or_none, DataPipeConsumer::Mode::kDiscard);
}

inline Result BeginWrite(const Producer& end, DataPipeWindow* window, size_t min_bytes = 0) {
  ApiCall call;
  IoLock lock(end.get());
  return end->BeginWrite(end.value(), min_bytes, window);
}
inline Result EndWrite(const Producer& end, size_t nbytes, uint64_t window = 0) {
  ApiCall call;
  return end->EndWrite(end.value(), window, nbytes);
}
inline Result BeginRead(const Consumer& end, DataPipeWindow* window, size_t min_bytes = 0) {
  ApiCall call;
  IoLock lock(end.get());
  return end->BeginRead(end.value(), min_bytes, window);
}
inline Result EndRead(const Consumer& end, size_t nbytes, uint64_t window = 0) {
  ApiCall call;
  return end->EndRead(end.value(), window, nbytes);
}
inline Result Query(const Consumer& end, size_t* nbytes) {
  ApiCall call;
  return end->Query(end.value(), nbytes);
}

// Exactly this much must come, at once.
inline std::string ReadExactly(const Consumer& end, size_t nbytes) {
  std::string data;
  CHECK_OK(Read(end, &data, nbytes, true));
  return data;
}

struct DataPipePair {
  explicit DataPipePair(size_t capacity = 16, size_t element_size = 1) {
    Ref<DataPipeProducer> first;
    Ref<DataPipeConsumer> second;
    CHECK_OK(CreateDataPipe(capacity, element_size, &first, &second));
    producer = Producer(std::move(first));
    consumer = Consumer(std::move(second));
  }
  Producer producer;
  Consumer consumer;
};

}  // namespace mojo_seq::testing
