// The keys that encrypt TLS session tickets (RFC 5077 §4, RFC 8446 §4.6.1). They are random and only this
// process knows them. All threads share one set of keys, which outlives a change of certificates, so a client
// can resume its session on any worker.
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

// Thread-safe. A key encrypts tickets for one period and decrypts them for one more; then it is deleted.
class TicketKeys {
 public:
  static constexpr Duration kPeriod = std::chrono::hours(12);
  static constexpr std::size_t kNameSize = 16;

  using Clock = std::function<SteadyTime()>;
  // The first constructor reads the monotonic clock of the machine.
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
  // Finds the key of a ticket. `name` has kNameSize octets. Nothing when the key is unknown or too old.
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

// Makes `context` encrypt its tickets with `keys`. The context shares ownership of the keys.
void set_ticket_keys(SSL_CTX* context, std::shared_ptr<TicketKeys> keys);

}  // namespace turnpike::net
