// Octets that wait for something, of which there are never more than the owner allows. Whatever a stranger
// can have us write is written into one of these, so that no caller has to remember to look whether there is
// room.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/counter.hpp"

namespace turnpike::net {

// Its memory grows with what it holds, unless it was reserved.
class BoundedBuffer {
 public:
  explicit BoundedBuffer(std::size_t most) : most_(most) {}

  std::size_t size() const { return octets_.size() - from_; }
  bool empty() const { return size() == 0; }
  // How much append() still takes.
  std::size_t room() const { return most_ - std::min(size(), most_); }
  // Views this, and is good until it changes.
  Bytes bytes() const { return Bytes(octets_).subspan(from_); }
  MutableBytes bytes() { return MutableBytes(octets_).subspan(from_); }

  // Takes all of it. Where that is more than there is room for it takes nothing and returns false.
  [[nodiscard]] bool append(Bytes bytes) {
    if (bytes.size() > room()) return false;
    octets_.insert(octets_.end(), bytes.begin(), bytes.end());
    return true;
  }
  [[nodiscard]] bool append_zeros(std::size_t count) {
    if (count > room()) return false;
    octets_.resize(octets_.size() + count);
    return true;
  }

  // From now on there may be so many. What is there stays, even if it is more.
  void allow(std::size_t most) { most_ = most; }
  void reserve() { octets_.reserve(most_); }
  // Forgets everything and keeps the memory.
  void clear() {
    octets_.clear();
    from_ = 0;
  }
  // Forgets the first `count` octets. The memory goes with the last one.
  void remove_front(std::size_t count) {
    from_ += count;
    if (from_ == octets_.size()) {
      octets_ = {};
      from_ = 0;
    } else if (from_ >= octets_.size() / 2) {
      octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(from_));
      from_ = 0;
    }
  }

 private:
  std::size_t most_;
  std::vector<std::uint8_t> octets_;
  std::size_t from_ = 0;  // the octets before this have been removed
};

// What TLS or DTLS has written and nobody has sent yet. For datagrams it remembers where each of them lies.
class WireBuffer {
 public:
  enum class Kind : std::uint8_t { stream, datagrams };

  // More than as many of the shortest records fit into what a thread of DTLS may leave.
  static constexpr std::size_t kMostDatagrams = 8192;

  WireBuffer(Kind kind, std::size_t most) : kind_(kind), octets_(most) {
    octets_.reserve();
    if (kind == Kind::datagrams) datagrams_.reserve(kMostDatagrams);  // OpenSSL's C calls append()
  }

  Kind kind() const { return kind_; }
  std::size_t size() const { return octets_.size(); }
  std::size_t room() const { return octets_.room(); }
  Bytes bytes() const { return octets_.bytes(); }
  // Those that were appended since forget_datagrams(). They stay where they are until clear().
  std::span<const Bytes> datagrams() const { return datagrams_; }

  // How often there was no room.
  const Counter& lost() const { return lost_; }

  // All of it, or nothing and false: see BoundedBuffer.
  [[nodiscard]] bool append(Bytes bytes) {
    if ((kind_ == Kind::datagrams && datagrams_.size() == kMostDatagrams) || !octets_.append(bytes)) {
      ++lost_;
      return false;
    }
    if (kind_ == Kind::datagrams) datagrams_.push_back(Bytes(octets_.bytes()).last(bytes.size()));
    return true;
  }
  [[nodiscard]] bool append_zeros(std::size_t count) { return octets_.append_zeros(count); }

  void forget_datagrams() { datagrams_.clear(); }
  void clear() {
    octets_.clear();
    datagrams_.clear();
  }

 private:
  Kind kind_;
  BoundedBuffer octets_;
  std::vector<Bytes> datagrams_;
  Counter lost_;
};

}  // namespace turnpike::net
