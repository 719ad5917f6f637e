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

  struct Key {
    std::array<std::uint8_t, kNameSize> name{};
    std::array<std::uint8_t, 32> cipher{};
    std::array<std::uint8_t, 32> mac{};
  };

  using Clock = std::function<SteadyTime()>;
  // The first constructor reads the monotonic clock of the machine.
  TicketKeys();
  explicit TicketKeys(Clock clock, Duration period = kPeriod);
  // Keys that other servers derive as well, so that they accept each other's tickets. `derive` makes the key
  // of a period by its number; periods are counted since 1970, and `since_epoch` reads the time since then.
  using Derive = std::function<Key(std::int64_t period)>;
  TicketKeys(Derive derive, Clock since_epoch, Duration period = kPeriod);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // The key for new tickets. Makes a new one when the period of the present one is over.
  Key encryption_key();
  struct Opening {
    Key key;
    bool is_old;  // the client should get a new ticket
  };
  // Finds the key of a ticket. `name` has kNameSize octets. Nothing when the key is unknown or too old.
  std::optional<Opening> find_decryption_key(Bytes name);

 private:
  void rotate();

  const Derive derive_;  // null: keys are random
  const Clock clock_;
  const Duration period_;
  const SteadyTime began_{};  // the start of period 0
  std::mutex mutex_;
  std::int64_t number_ = 0;  // of the present period
  Key present_;
  std::optional<Key> previous_;
};

// Makes `context` encrypt its tickets with `keys`. The context shares ownership of the keys.
void set_ticket_keys(SSL_CTX* context, std::shared_ptr<TicketKeys> keys);

}  // namespace turnpike::net
