// A buffer of octets with a maximum size. All output that a stranger can cause is written into such buffers,
// so that no caller can forget to check the size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/counter.hpp"

namespace turnpike::net {

// The memory grows with the contents, unless it was reserved.
class BoundedBuffer {
 public:
  explicit BoundedBuffer(std::size_t most) : most_(most) {}

  std::size_t size() const { return octets_.size() - from_; }
  bool empty() const { return size() == 0; }
  // The number of octets that append() still accepts.
  std::size_t room() const { return most_ - std::min(size(), most_); }
  // A view of the contents, valid until the buffer changes.
  Bytes bytes() const { return Bytes(octets_).subspan(from_); }
  MutableBytes bytes() { return MutableBytes(octets_).subspan(from_); }

  // Appends all octets. When there is no room for all of them, it appends nothing and returns false.
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

  // Changes the maximum size. The contents stay, even if they are longer.
  void allow(std::size_t most) { most_ = most; }
  void reserve() { octets_.reserve(most_); }
  // Removes all octets and keeps the memory.
  void clear() {
    octets_.clear();
    from_ = 0;
  }
  // Removes the first `count` octets. When the buffer becomes empty, its memory is freed.
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
  std::size_t from_ = 0;  // octets before this offset were removed
};

// The output of TLS or DTLS that was not sent yet. For datagrams it records where each of them is.
class WireBuffer {
 public:
  enum class Kind : std::uint8_t { stream, datagrams };

  // The maximum number of datagrams. It is larger than the number of shortest records that fit into the DTLS
  // output of a thread.
  static constexpr std::size_t kMaxDatagrams = 8192;

  WireBuffer(Kind kind, std::size_t most) : kind_(kind), octets_(most) {
    octets_.reserve();
    if (kind == Kind::datagrams)
      datagrams_.reserve(kMaxDatagrams);  // OpenSSL's C code calls append(), which must not throw
  }

  Kind kind() const { return kind_; }
  std::size_t size() const { return octets_.size(); }
  std::size_t room() const { return octets_.room(); }
  Bytes bytes() const { return octets_.bytes(); }
  // The datagrams that were appended since forget_datagrams(). They stay in place until clear().
  std::span<const Bytes> datagrams() const { return datagrams_; }

  // How often append() had no room.
  const Counter& lost() const { return lost_; }

  // Appends all octets or none; see BoundedBuffer.
  [[nodiscard]] bool append(Bytes bytes) {
    if ((kind_ == Kind::datagrams && datagrams_.size() == kMaxDatagrams) || !octets_.append(bytes)) {
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
