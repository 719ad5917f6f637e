// Hashes for tables whose keys a stranger chooses. Without a secret key a stranger could send thousands of
// addresses or names that all have one hash, and each insertion into the table would look at all of them.
// This is SipHash-1-3 (Aumasson and Bernstein) with a key that each process draws for itself.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike {

// 128 secret bits that nobody outside the process knows; crypto::draw_hash_key() makes them.
struct HashKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

// SipHash with the given number of rounds for each word and at the end. The paper recommends 2 and 4. For
// hash tables, whose hashes nobody outside sees, 1 and 3 are enough.
template <int kRoundsPerWord, int kFinalRounds>
class SipHash {
 public:
  explicit SipHash(const HashKey& key)
      : v0_(key.k0 ^ 0x736f6d6570736575),
        v1_(key.k1 ^ 0x646f72616e646f6d),
        v2_(key.k0 ^ 0x6c7967656e657261),
        v3_(key.k1 ^ 0x7465646279746573) {}

  void add(std::uint64_t word) {
    v3_ ^= word;
    for (int i = 0; i < kRoundsPerWord; ++i) round();
    v0_ ^= word;
  }

  // `last` has the number of octets, modulo 256, in its top octet. The octets below have the rest of the
  // message that did not fill a word.
  std::uint64_t finish(std::uint64_t last) {
    add(last);
    v2_ ^= 0xff;
    for (int i = 0; i < kFinalRounds; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  static std::uint64_t hash(const HashKey& key, Bytes bytes) {
    SipHash state(key);
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) state.add(load_little_endian(&bytes[at]));
    std::uint64_t last = std::uint64_t{bytes.size()} << 56;
    for (std::size_t i = at; i < bytes.size(); ++i) last |= std::uint64_t{bytes[i]} << 8 * (i - at);
    return state.finish(last);
  }

  static std::uint64_t load_little_endian(const std::uint8_t* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
  }

 private:
  void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
};

// Tables whose keys a stranger chooses are declared with this hasher:
//
//     boost::unordered_flat_map<FiveTuple, Thing, KeyedHash> things_;             things_(0, KeyedHash(key))
//     std::unordered_map<std::string, Thing, KeyedHash, std::equal_to<>> named_;  also found by string_view
//
// It has no default key, so a table without one does not compile.
class KeyedHash {
 public:
  using is_transparent = void;
  using is_avalanching = void;  // tells Boost that all 64 bits are well mixed, so it does not mix them again

  explicit KeyedHash(const HashKey& key) : key_(key) {}

  std::size_t operator()(Bytes bytes) const { return Sip::hash(key_, bytes); }
  std::size_t operator()(std::string_view text) const { return Sip::hash(key_, as_bytes(text)); }
  std::size_t operator()(std::uint64_t number) const { return Sip(key_).finish(number); }
  std::size_t operator()(const IpAddress& address) const {
    Sip state(key_);
    add(state, address);
    return state.finish(static_cast<std::uint64_t>(address.family()));
  }
  std::size_t operator()(const Endpoint& endpoint) const {
    Sip state(key_);
    add(state, endpoint.address);
    return state.finish(std::uint64_t{endpoint.port} | std::uint64_t{endpoint.scope} << 16 |
                        static_cast<std::uint64_t>(endpoint.family()) << 48);
  }
  std::size_t operator()(const FiveTuple& tuple) const {
    Sip state(key_);
    add(state, tuple.client.address);
    add(state, tuple.server.address);
    state.add(std::uint64_t{tuple.client.port} | std::uint64_t{tuple.server.port} << 16 |
              std::uint64_t{tuple.client.scope} << 32);
    state.add(static_cast<std::uint64_t>(tuple.path));
    return state.finish(std::uint64_t{tuple.server.scope} |
                        static_cast<std::uint64_t>(tuple.transport) << 32 |
                        static_cast<std::uint64_t>(tuple.client.family()) << 40 |
                        static_cast<std::uint64_t>(tuple.server.family()) << 48);
  }

 private:
  using Sip = SipHash<1, 3>;

  static void add(Sip& state, const IpAddress& address) {
    state.add(Sip::load_little_endian(address.storage().data()));
    state.add(Sip::load_little_endian(address.storage().data() + 8));
  }

  HashKey key_;
};

}  // namespace turnpike
