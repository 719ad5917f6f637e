// What the server wants done: datagrams to send, relays to close, and what has happened to allocations. The
// shell carries it out and clears it. Buffers keep their capacity, so a busy worker allocates nothing here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/stun/types.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// Why an allocation ended.
enum class EndReason : std::uint8_t {
  refresh,              // the client gave it up (RFC 8656 §8.2)
  expired,              // the client did not refresh it
  connection_closed,    // by the client, whose allocation lived as long as its connection
  allocation_age,       // limits.allocation_age
  credentials_expired,  // auth.strict_expiry
  user_changed,         // auth.users no longer has the user, or has another password
  client_denied,        // clients.deny
  killed,               // by an operator
};
std::string_view to_string(EndReason reason);

// Payloads view the buffers that were handed to the server: carry the output out before they are used again.
class Output {
 public:
  // Together, head(), the payload and `padding` zero bytes make one message.
  struct ToClient {
    FiveTuple tuple;
    std::uint32_t head_at = 0;
    std::uint32_t head_size = 0;
    Bytes payload;
    std::uint8_t padding = 0;
  };

  struct ToPeer {
    RelayId relay{};
    Endpoint peer;  // local form
    Bytes payload;
    bool dont_fragment = false;
  };

  // Something happened to an allocation. A client's connection stays open while it has one, so whoever keeps
  // connections reads these; the log reads them too.
  struct Lifetime {
    enum class Kind : std::uint8_t { created, moved, deleted };
    Kind kind{};
    FiveTuple tuple{};         // moved: where it is now
    FiveTuple former{};        // moved: where it was
    std::string username{};    // comes from a stranger: whoever prints it escapes it
    Endpoint relayed{};        // the first relayed address, as clients know it
    std::uint64_t number = 0;  // of the allocation, on this server
    // Of one that was deleted: why, and what it was.
    EndReason reason{};
    std::chrono::seconds age{};
    std::uint32_t peers = 0;  // addresses that it had permissions for, one after the other
    // Payload: rx came from the client, tx went to the client.
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t dropped_packets = 0;  // beyond limits.bytes_per_second and its kin
  };

  // A request was refused. This is for the log alone.
  struct Refusal {
    FiveTuple tuple{};
    std::string username{};  // comes from a stranger: whoever prints it escapes it
    stun::Method method{};
    stun::ErrorCode error{};
    bool expired = false;             // the credentials were right once
    bool answered = true;             // false: the source has had all its answers to wrong credentials
    std::optional<Prefix> network{};  // the network of this machine that the peer is in, if that is why
  };

  // RFC 8016: a message for the worker that has the client's allocation, and from now on all that comes from
  // this 5-tuple, until that worker has no more to do with it.
  struct Forward {
    std::uint16_t worker = 0;
    FiveTuple tuple;
    Bytes message;
  };

  // Limits that somebody has met, one bit for each LimitKey.
  std::uint32_t limits_met() const { return limits_met_; }
  const std::vector<Forward>& forwards() const { return forwards_; }
  // 5-tuples that the server has no more to do with: their allocation was deleted, or has moved.
  const std::vector<FiveTuple>& left() const { return left_; }
  const std::vector<ToClient>& to_clients() const { return to_clients_; }
  const std::vector<ToPeer>& to_peers() const { return to_peers_; }
  // In the order in which it happened.
  const std::vector<Lifetime>& lifetimes() const { return lifetimes_; }
  const std::vector<Refusal>& refusals() const { return refusals_; }
  // Relays whose allocations are gone. They are open, and keep their numbers, until close_relays() or
  // clear(): to_peers() may still have something that goes out through them.
  const std::vector<Relay>& closing() const { return closing_; }
  Bytes head(const ToClient& message) const {
    return Bytes(heads_).subspan(message.head_at, message.head_size);
  }

  void send_to_peer(RelayId relay, const Endpoint& peer, Bytes payload, bool dont_fragment) {
    to_peers_.push_back({relay, peer, payload, dont_fragment});
  }

  // Copies `head`, which is small; views `payload`.
  void send_to_client(const FiveTuple& tuple, Bytes head, Bytes payload = {}, std::uint8_t padding = 0) {
    const auto at = static_cast<std::uint32_t>(heads_.size());
    heads_.insert(heads_.end(), head.begin(), head.end());
    to_clients_.push_back({tuple, at, static_cast<std::uint32_t>(head.size()), payload, padding});
  }

  void forward(std::uint16_t worker, const FiveTuple& tuple, Bytes message) {
    forwards_.push_back({worker, tuple, message});
  }
  void leave(const FiveTuple& tuple) { left_.push_back(tuple); }

  void meet(LimitKey limit) { limits_met_ |= std::uint32_t{1} << static_cast<unsigned>(limit); }

  // Room for so many messages and for the heads of as many, so that answers need no memory where there is
  // none.
  void reserve(std::size_t messages) {
    to_clients_.reserve(messages);
    to_peers_.reserve(messages);
    heads_.reserve(messages * kUsualHead);
    reserve_for_news();
  }

  // Makes room for what the end or the move of one allocation reports: one Lifetime, two 5-tuples that are
  // left, and two relays. These then cannot fail for want of memory, when what they report has happened.
  void reserve_for_news() {
    make_room(lifetimes_, 1);
    make_room(left_, 2);
    make_room(closing_, 2);
  }

  void report(Lifetime lifetime) { lifetimes_.push_back(std::move(lifetime)); }
  void report(Refusal refusal) { refusals_.push_back(std::move(refusal)); }
  // Has the relay closed once all that goes out through it has gone.
  void close(Relay relay) { closing_.push_back(std::move(relay)); }

  // The shell has carried these out ahead of the rest.
  void clear_to_peers() { to_peers_.clear(); }
  void clear_forwards() { forwards_.clear(); }
  void close_relays() { closing_.clear(); }

  void clear() {
    to_clients_.clear();
    to_peers_.clear();
    lifetimes_.clear();
    refusals_.clear();
    closing_.clear();
    forwards_.clear();
    left_.clear();
    heads_.clear();
    limits_met_ = 0;
  }

 private:
  static constexpr std::size_t kUsualHead = 256;

  template <class T>
  static void make_room(std::vector<T>& list, std::size_t more) {
    if (list.size() + more > list.capacity()) list.reserve(2 * list.size() + 8);
  }

  std::vector<ToClient> to_clients_;
  std::vector<ToPeer> to_peers_;
  std::vector<Lifetime> lifetimes_;
  std::vector<Refusal> refusals_;
  std::vector<Relay> closing_;
  std::vector<Forward> forwards_;
  std::vector<FiveTuple> left_;
  std::vector<std::uint8_t> heads_;
  std::uint32_t limits_met_ = 0;
};

}  // namespace turnpike::turn
