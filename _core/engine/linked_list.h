// LinkedList: what is in it carries its own links, so that anything can be taken out of any place
// without looking for it. The list owns a reference to each.
//
//   struct Entry : RefCounted { Links<Entry> links; };
//   LinkedList<Entry, &Entry::links> list;
//
// An object can be in one list at a time for each of its links; which one that is its owner knows.
#pragma once

#include <utility>

#include "ref.h"

namespace mojo_seq {

template <typename T>
struct Links {
  T* next = nullptr;      // null: the last
  T* previous = nullptr;  // of the first: the last
};

template <typename T, Links<T> T::*kLinks>
class LinkedList {
 public:
  LinkedList() = default;
  LinkedList(LinkedList&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  LinkedList& operator=(LinkedList&& other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~LinkedList() {
    while (!empty()) PopFront();
  }

  bool empty() const { return head_ == nullptr; }
  T* head() const { return head_; }
  T* tail() const { return head_ ? (head_->*kLinks).previous : nullptr; }
  static T* Next(const T* member) { return (member->*kLinks).next; }

  void PushBack(Ref<T> added) {
    T* const member = added.Detach();
    Links<T>& links = member->*kLinks;
    links.next = nullptr;
    if (head_) {
      links.previous = tail();
      (links.previous->*kLinks).next = member;
    } else {
      head_ = member;
    }
    (head_->*kLinks).previous = member;
  }

  // Of a member.
  Ref<T> Remove(T* member) {
    const Links<T> links = member->*kLinks;
    member->*kLinks = {};
    if (links.next) {
      (links.next->*kLinks).previous = links.previous;
    } else if (head_ != member) {
      (head_->*kLinks).previous = links.previous;
    }
    if (head_ == member) {
      head_ = links.next;
    } else {
      (links.previous->*kLinks).next = links.next;
    }
    return Ref<T>::Adopt(member);
  }
  Ref<T> PopFront() { return Remove(head_); }

  // Appends all of `other`, which is empty afterwards.
  void Splice(LinkedList& other) {
    if (other.empty()) return;
    T* const last = other.tail();
    if (head_) {
      (other.head_->*kLinks).previous = tail();
      (tail()->*kLinks).next = other.head_;
      (head_->*kLinks).previous = last;
    } else {
      head_ = other.head_;
    }
    other.head_ = nullptr;
  }

 private:
  T* head_ = nullptr;
};

}  // namespace mojo_seq
