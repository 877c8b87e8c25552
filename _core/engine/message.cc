#include "message.h"

#include <cstdlib>
#include <new>

namespace mojo_seq {

namespace {

// Messages whose destruction has begun further up this thread's stack.
thread_local MessageList* destroying = nullptr;

std::atomic<size_t> max_message_bytes{size_t{256} << 20};

}  // namespace

size_t MaxMessageBytes() { return max_message_bytes.load(std::memory_order_relaxed); }
void SetMaxMessageBytes(size_t nbytes) {
  max_message_bytes.store(nbytes, std::memory_order_relaxed);
}

Ref<Payload> Payload::Allocate(size_t capacity, bool zeroed) {
  // One block: the object, then its bytes.
  constexpr size_t kHeader = (sizeof(Payload) + 15) & ~size_t{15};
  if (capacity > SIZE_MAX - kHeader) return nullptr;
  void* const memory = zeroed ? calloc(1, kHeader + capacity) : malloc(kHeader + capacity);
  if (!memory) return nullptr;
  auto* const data = static_cast<uint8_t*>(memory) + kHeader;
  return Ref<Payload>::Adopt(::new (memory) Payload(data, capacity, nullptr));
}

Ref<Payload> Payload::Over(uint8_t* data, size_t capacity, Ref<RefCounted> owner) {
  void* const memory = malloc(sizeof(Payload));
  if (!memory) return nullptr;
  return Ref<Payload>::Adopt(::new (memory) Payload(data, capacity, std::move(owner)));
}

Message::~Message() {
  if (context && release) release(context);
  for (const Ref<Dispatcher>& dispatcher : dispatchers) dispatcher->CloseInTransit();
}

void Message::Destroy(Message* message) {
  if (!message) return;
  MessageList list;
  list.Push(message);
}

void MessageList::Push(Message* message) {
  message->next = nullptr;
  (tail_ ? tail_->next : head_) = message;
  tail_ = message;
  ++size_;
}

Message* MessageList::Pop() {
  Message* const message = head_;
  if (!message) return nullptr;
  head_ = message->next;
  if (!head_) tail_ = nullptr;
  message->next = nullptr;
  --size_;
  return message;
}

void MessageList::Splice(MessageList& other) {
  if (other.empty()) return;
  (tail_ ? tail_->next : head_) = other.head_;
  tail_ = other.tail_;
  size_ += other.size_;
  other.head_ = other.tail_ = nullptr;
  other.size_ = 0;
}

MessageList::~MessageList() {
  if (empty()) return;
  if (destroying) {
    // A message in a message: leave it to the loop below us, or the stack would grow with it.
    destroying->Splice(*this);
    return;
  }
  destroying = this;
  while (Message* message = Pop()) delete message;
  destroying = nullptr;
}

bool Attachment::HasMessagePipe() const {
  for (const Item& item : items_) {
    if (item.dispatcher->type() == HandleType::kMessagePipe) return true;
  }
  return false;
}

Result Attachment::Check(size_t* blamed) const {
  for (*blamed = 0; *blamed < items_.size(); ++*blamed) {
    const Item& item = items_[*blamed];
    const Result result = item.dispatcher->CheckTransit(item.value);
    if (result == Result::kInvalidArgument) return result;
  }
  return Result::kOk;
}

Result Attachment::Begin(size_t* blamed) {
  const Result check = Check(blamed);
  if (check != Result::kOk) return check;
  begun_ = true;
  for (*blamed = 0; *blamed < items_.size(); ++*blamed) {
    Item& item = items_[*blamed];
    const Result result = item.dispatcher->BeginTransit(item.value, &item.observers);
    if (result == Result::kOk) continue;
    for (size_t i = *blamed; i-- > 0;) {
      items_[i].dispatcher->AbortTransit(items_[i].value, std::move(items_[i].observers));
    }
    begun_ = false;
    return result;
  }
  return Result::kOk;
}

void Attachment::Abort() {
  if (!begun_) return;
  begun_ = false;
  for (Item& item : items_) {
    item.dispatcher->AbortTransit(item.value, std::move(item.observers));
  }
}

void Attachment::MoveInto(Message* message) const {
  message->dispatchers.reserve(message->dispatchers.size() + items_.size());
  for (const Item& item : items_) message->dispatchers.emplace_back(item.dispatcher);
}

void Attachment::Commit() {
  begun_ = false;
  for (Item& item : items_) item.dispatcher->CommitTransit(std::move(item.observers));
  items_.clear();
}

}  // namespace mojo_seq
