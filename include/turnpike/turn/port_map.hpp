// The taken ports of one relay address, over all workers: one bit for each port, without a lock. It also
// knows which taken ports are TCP, and which worker has a port.
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
  // Manages the ports from `first` to `last`, both included; `first` is at least 1.
  PortMap(std::uint16_t first, std::uint16_t last);

  std::uint16_t first() const { return first_; }
  std::uint32_t capacity() const { return last_ - first_ + 1u; }
  bool contains(std::uint16_t port) const { return port >= first_ && port <= last_; }

  // A random port of the range at which to start a search, so that a relayed port cannot be guessed (RFC
  // 6056).
  std::uint16_t random_start(crypto::Random& random) const;

  // Takes the first free port at or after `start`, and continues at the beginning of the range. Nothing when
  // all are taken.
  std::optional<std::uint16_t> take_from(std::uint16_t start);
  // The same for an even port. With `pair`, it takes an even port and the odd port above it, when both are
  // free.
  std::optional<std::uint16_t> take_even_from(std::uint16_t start, bool pair);

  // Releases a taken port.
  void release(std::uint16_t port);
  bool is_taken(std::uint16_t port) const;
  // The number of taken ports. Other threads may take and release ports at the same time.
  std::uint32_t taken() const;

  // Marks a taken port as a TCP port (RFC 6062) until it is released. Unmarked ports are UDP ports.
  void set_tcp(std::uint16_t port);
  bool is_tcp(std::uint16_t port) const;

  // Stores which worker has a taken port, until the port is released. A port that is only reserved belongs to
  // no worker.
  void give_to(std::uint16_t port, std::uint16_t worker);
  std::optional<std::uint16_t> worker_of(std::uint16_t port) const;

 private:
  static constexpr std::uint16_t kNobody = 0;  // the others have the worker's number plus 1

  bool try_take(std::uint16_t port);
  template <class Try>
  std::optional<std::uint16_t> search(std::uint16_t start, unsigned step, Try&& attempt);

  std::uint16_t first_;
  std::uint16_t last_;
  std::vector<std::atomic<std::uint64_t>> words_;    // bit p % 64 of word p / 64 - first_ / 64
  std::vector<std::atomic<std::uint64_t>> tcp_;      // the same bits; a taken port is a TCP port
  std::vector<std::atomic<std::uint16_t>> workers_;  // one for each port from first_ on
};

}  // namespace turnpike::turn
