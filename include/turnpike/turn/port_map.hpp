// Which ports of one relay address are taken, over all workers: one bit each, without a lock. It draws at
// random, knows when it is full without spinning, and knows whether a port is a live relayed address.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "turnpike/crypto/random.hpp"

namespace turnpike::turn {

// Thread-safe.
class PortMap {
 public:
  // The ports [first, last], first >= 1.
  PortMap(std::uint16_t first, std::uint16_t last);

  std::uint16_t first() const { return first_; }
  std::uint32_t capacity() const { return last_ - first_ + 1u; }
  bool contains(std::uint16_t port) const { return port >= first_ && port <= last_; }

  // Where a search starts: any port of the range, so that a relayed port cannot be guessed (RFC 6056).
  std::uint16_t random_start(crypto::Random& random) const;

  // Takes the first free port at or after `start`, going round once. Nothing when all are taken.
  std::optional<std::uint16_t> take_from(std::uint16_t start);
  // The same for an even port; with `pair`, one whose odd neighbour above it is free too, and takes both.
  std::optional<std::uint16_t> take_even_from(std::uint16_t start, bool pair);

  void release(std::uint16_t port);
  bool is_taken(std::uint16_t port) const;
  // How many are taken. Other threads may take and release some meanwhile.
  std::uint32_t taken() const;

  // Marks a port that was taken as one of TCP, and not of UDP (RFC 6062), until it is released.
  void set_tcp(std::uint16_t port);
  bool is_tcp(std::uint16_t port) const;

 private:
  bool try_take(std::uint16_t port);
  template <class Try>
  std::optional<std::uint16_t> search(std::uint16_t start, unsigned step, Try&& attempt);

  std::uint16_t first_;
  std::uint16_t last_;
  std::vector<std::atomic<std::uint64_t>> words_;  // bit p % 64 of word p / 64 - first_ / 64
  std::vector<std::atomic<std::uint64_t>> tcp_;    // likewise
};

}  // namespace turnpike::turn
