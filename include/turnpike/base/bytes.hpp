// Views of octets, and the two cursors that read and write network byte order. A view never owns its octets:
// the function that returns a view says how long it is valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace turnpike {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Big-endian loads and stores at any alignment.
inline std::uint16_t load_u16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }

inline std::uint32_t load_u32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 |
         std::uint32_t{p[3]};
}

inline std::uint64_t load_u64(const std::uint8_t* p) {
  return std::uint64_t{load_u32(p)} << 32 | load_u32(p + 4);
}

inline void store_u16(std::uint8_t* p, std::uint16_t value) {
  p[0] = static_cast<std::uint8_t>(value >> 8);
  p[1] = static_cast<std::uint8_t>(value);
}

inline void store_u32(std::uint8_t* p, std::uint32_t value) {
  store_u16(p, static_cast<std::uint16_t>(value >> 16));
  store_u16(p + 2, static_cast<std::uint16_t>(value));
}

inline void store_u64(std::uint8_t* p, std::uint64_t value) {
  store_u32(p, static_cast<std::uint32_t>(value >> 32));
  store_u32(p + 4, static_cast<std::uint32_t>(value));
}

// Reads a view from front to back. A read past the end makes the reader fail for good and yields zeros, so a
// decoder checks ok() once, at its end.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  Bytes rest() const { return rest_; }

  Bytes take(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  std::uint8_t u8() {
    const Bytes b = take(1);
    return b.empty() ? std::uint8_t{0} : b[0];
  }

  std::uint16_t u16() {
    const Bytes b = take(2);
    return b.empty() ? std::uint16_t{0} : load_u16(b.data());
  }

  std::uint32_t u32() {
    const Bytes b = take(4);
    return b.empty() ? 0 : load_u32(b.data());
  }

 private:
  Bytes rest_;
  bool ok_ = true;
};

// Writes into a buffer that the caller owns. A write that does not fit writes nothing and makes the writer
// fail for good, so an encoder checks ok() once, at its end.
class ByteWriter {
 public:
  explicit ByteWriter(MutableBytes buffer) : buffer_(buffer) {}

  bool ok() const { return ok_; }
  void fail() { ok_ = false; }
  std::size_t size() const { return size_; }
  Bytes written() const { return buffer_.first(size_); }
  MutableBytes buffer() const { return buffer_; }

  // Claims `count` bytes to be filled by the caller; empty when they do not fit.
  MutableBytes claim(std::size_t count) {
    if (!ok_ || count > buffer_.size() - size_) {
      ok_ = false;
      return {};
    }
    const MutableBytes claimed = buffer_.subspan(size_, count);
    size_ += count;
    return claimed;
  }

  void u8(std::uint8_t value) {
    if (const MutableBytes b = claim(1); !b.empty()) b[0] = value;
  }

  void u16(std::uint16_t value) {
    if (const MutableBytes b = claim(2); !b.empty()) store_u16(b.data(), value);
  }

  void u32(std::uint32_t value) {
    if (const MutableBytes b = claim(4); !b.empty()) store_u32(b.data(), value);
  }

  void bytes(Bytes source) {
    const MutableBytes b = claim(source.size());
    if (!b.empty()) std::memcpy(b.data(), source.data(), b.size());
  }

 private:
  MutableBytes buffer_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace turnpike
