#include "turnpike/turn/port_map.hpp"

#include <bit>

namespace turnpike::turn {

PortMap::PortMap(std::uint16_t first, std::uint16_t last)
    : first_(first),
      last_(last),
      words_(last / 64u - first / 64u + 1u),
      tcp_(words_.size()),
      workers_(capacity()) {}

std::uint16_t PortMap::random_start(crypto::Random& random) const {
  return static_cast<std::uint16_t>(first_ + random.below(capacity()));
}

bool PortMap::try_take(std::uint16_t port) {
  std::atomic<std::uint64_t>& word = words_[port / 64u - first_ / 64u];
  const std::uint64_t mask = std::uint64_t{1} << port % 64u;
  return (word.load(std::memory_order_relaxed) & mask) == 0 &&
         (word.fetch_or(mask, std::memory_order_acq_rel) & mask) == 0;
}

void PortMap::release(std::uint16_t port) {
  workers_[port - first_].store(kNobody, std::memory_order_release);
  const std::uint64_t others = ~(std::uint64_t{1} << port % 64u);
  tcp_[port / 64u - first_ / 64u].fetch_and(others, std::memory_order_acq_rel);
  words_[port / 64u - first_ / 64u].fetch_and(others, std::memory_order_acq_rel);
}

void PortMap::set_tcp(std::uint16_t port) {
  tcp_[port / 64u - first_ / 64u].fetch_or(std::uint64_t{1} << port % 64u, std::memory_order_acq_rel);
}

bool PortMap::is_tcp(std::uint16_t port) const {
  if (!contains(port)) return false;
  return (tcp_[port / 64u - first_ / 64u].load(std::memory_order_acquire) >> port % 64u & 1) != 0;
}

void PortMap::give_to(std::uint16_t port, std::uint16_t worker) {
  workers_[port - first_].store(static_cast<std::uint16_t>(worker + 1), std::memory_order_release);
}

std::optional<std::uint16_t> PortMap::worker_of(std::uint16_t port) const {
  if (!contains(port)) return std::nullopt;
  const std::uint16_t worker = workers_[port - first_].load(std::memory_order_acquire);
  return worker == kNobody ? std::nullopt : std::optional(static_cast<std::uint16_t>(worker - 1));
}

std::uint32_t PortMap::taken() const {
  std::uint32_t count = 0;
  for (const auto& word : words_) {
    count += static_cast<std::uint32_t>(std::popcount(word.load(std::memory_order_relaxed)));
  }
  return count;
}

bool PortMap::is_taken(std::uint16_t port) const {
  if (!contains(port)) return false;
  return (words_[port / 64u - first_ / 64u].load(std::memory_order_acquire) >> port % 64u & 1) != 0;
}

// Calls attempt(port) once for every `step`th port, from `start` to the end and then from the beginning,
// until it returns true.
template <class Try>
std::optional<std::uint16_t> PortMap::search(std::uint16_t start, unsigned step, Try&& attempt) {
  const auto scan = [&](std::uint32_t from, std::uint32_t to) -> std::optional<std::uint16_t> {
    for (std::uint32_t port = from; port <= to; port += step) {
      if (attempt(static_cast<std::uint16_t>(port))) return static_cast<std::uint16_t>(port);
    }
    return std::nullopt;
  };
  if (const auto found = scan(start, last_)) return found;
  const std::uint32_t bottom = first_ + (start - first_) % step;
  return start > bottom ? scan(bottom, start - 1u) : std::nullopt;
}

std::optional<std::uint16_t> PortMap::take_from(std::uint16_t start) {
  return search(start, 1, [&](std::uint16_t port) { return try_take(port); });
}

std::optional<std::uint16_t> PortMap::take_even_from(std::uint16_t start, bool pair) {
  const std::uint32_t even = start % 2u == 0 ? start : start > first_ ? start - 1u : start + 1u;
  if (even > last_) return std::nullopt;
  return search(static_cast<std::uint16_t>(even), 2, [&](std::uint16_t port) {
    if (pair && port == last_) return false;
    if (!try_take(port)) return false;
    if (!pair || try_take(static_cast<std::uint16_t>(port + 1))) return true;
    release(port);
    return false;
  });
}

}  // namespace turnpike::turn
