// The keys that TLS session tickets are sealed with (RFC 5077 §4, RFC 8446 §4.6.1), random and known to this
// process alone. One set serves all threads and outlives certificates, so a session is resumed wherever its
// client comes back to.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::net {

// Thread-safe. A key seals for one period and opens for another; then it is gone.
class TicketKeys {
 public:
  static constexpr Duration kPeriod = std::chrono::hours(12);
  static constexpr std::size_t kNameSize = 16;

  using Clock = std::function<SteadyTime()>;
  // The first one reads the machine's own monotonic clock.
  TicketKeys();
  explicit TicketKeys(Clock clock, Duration period = kPeriod);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  struct Key {
    std::array<std::uint8_t, kNameSize> name{};
    std::array<std::uint8_t, 32> cipher{};
    std::array<std::uint8_t, 32> mac{};
  };
  Key to_seal();
  struct Opening {
    Key key;
    bool is_old;  // the client should get a new ticket
  };
  // `name` has kNameSize octets.
  std::optional<Opening> to_open(Bytes name);

 private:
  void rotate();

  const Clock clock_;
  const Duration period_;
  std::mutex mutex_;
  SteadyTime made_;
  Key present_;
  std::optional<Key> previous_;
};

// Has `context` seal its tickets with `keys`, which live as long as it does.
void set_ticket_keys(SSL_CTX* context, std::shared_ptr<TicketKeys> keys);

}  // namespace turnpike::net
