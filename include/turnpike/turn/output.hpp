// What the server wants to be done: datagrams to send, relays to close, and events of allocations. The shell
// (the worker) carries it out and then clears it. Buffers keep their capacity, so a busy worker allocates no
// memory here.
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
  refresh,              // the client deleted it (RFC 8656 §8.2)
  expired,              // the client did not refresh it
  connection_closed,    // the client closed its connection, and with it the allocation
  allocation_age,       // limits.allocation_age
  credentials_expired,  // auth.strict_expiry
  user_changed,         // the user was removed from auth.users, or has another password
  client_denied,        // clients.deny
  killed,               // by an operator
  stopped,              // the server stops
};
std::string_view to_string(EndReason reason);

// Payloads view the buffers that the caller gave to the server. Carry out the output before these buffers are
// used again.
class Output {
 public:
  // The message is head(), then the payload, then `padding` zero bytes.
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

  // A datagram for a relayed address of another worker. That worker passes it to Server::on_relayed.
  struct ToRelay {
    std::uint16_t worker = 0;
    Endpoint relayed;  // both in their local form
    Endpoint from;
    Bytes payload;
  };

  // An event of an allocation. A client's connection stays open while the client has an allocation, so the
  // owner of the connections reads these events. The log reads them too.
  struct Lifetime {
    enum class Kind : std::uint8_t { created, moved, deleted };
    Kind kind{};
    FiveTuple tuple{};         // moved: the new 5-tuple
    FiveTuple former{};        // moved: the former 5-tuple
    std::string username{};    // text from a stranger: escape it before printing
    Endpoint relayed{};        // the first relayed address, as it is advertised
    std::uint64_t number = 0;  // of the allocation, on this server
    // These are set for a deleted allocation: the reason and the totals.
    EndReason reason{};
    std::chrono::seconds age{};
    std::uint32_t peers = 0;  // number of addresses that ever got a permission
    // Payload. rx is received from the client, tx is sent to the client.
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t dropped_packets = 0;  // dropped by the limits on bytes per second
  };

  // A refused request. Only the log uses it.
  struct Refusal {
    FiveTuple tuple{};
    std::string username{};  // text from a stranger: escape it before printing
    stun::Method method{};
    stun::ErrorCode error{};
    bool expired = false;             // the credentials were valid earlier
    bool answered = true;             // false: the source had no answers to wrong credentials left
    std::optional<Prefix> network{};  // for a forbidden peer: the network of this machine that closes it
    std::optional<Endpoint> peer{};   // the peer that the error is about, as the client named it
  };

  // A message for another worker, which has the client's allocation (RFC 8016). All later messages from this
  // 5-tuple go to that worker too, until the worker reports that it has left the 5-tuple.
  struct Forward {
    std::uint16_t worker = 0;
    FiveTuple tuple;
    Bytes message;
  };

  // The limits that were reached, one bit for each LimitKey.
  std::uint32_t limits_reached() const { return limits_reached_; }
  const std::vector<Forward>& forwards() const { return forwards_; }
  // 5-tuples that the server no longer uses: their allocation was deleted or has moved, or does not move
  // there after all. Another allocation may have taken one since, so ask Server::knows().
  const std::vector<FiveTuple>& left() const { return left_; }
  const std::vector<ToClient>& to_clients() const { return to_clients_; }
  const std::vector<ToPeer>& to_peers() const { return to_peers_; }
  const std::vector<ToRelay>& to_relays() const { return to_relays_; }
  // In the order of the events.
  const std::vector<Lifetime>& lifetimes() const { return lifetimes_; }
  const std::vector<Refusal>& refusals() const { return refusals_; }
  // The relays of deleted allocations. They are open and keep their numbers until close_relays() or clear(),
  // since to_peers() may still have datagrams to be sent through them.
  const std::vector<Relay>& closing() const { return closing_; }
  Bytes head(const ToClient& message) const {
    return Bytes(heads_).subspan(message.head_at, message.head_size);
  }

  void send_to_peer(RelayId relay, const Endpoint& peer, Bytes payload, bool dont_fragment) {
    to_peers_.push_back({relay, peer, payload, dont_fragment});
  }

  void send_to_relay(std::uint16_t worker, const Endpoint& relayed, const Endpoint& from, Bytes payload) {
    to_relays_.push_back({worker, relayed, from, payload});
  }

  // Copies `head`, which is small, and views `payload`.
  void send_to_client(const FiveTuple& tuple, Bytes head, Bytes payload = {}, std::uint8_t padding = 0) {
    const auto at = static_cast<std::uint32_t>(heads_.size());
    heads_.insert(heads_.end(), head.begin(), head.end());
    to_clients_.push_back({tuple, at, static_cast<std::uint32_t>(head.size()), payload, padding});
  }

  void forward(std::uint16_t worker, const FiveTuple& tuple, Bytes message) {
    forwards_.push_back({worker, tuple, message});
  }
  void leave(const FiveTuple& tuple) { left_.push_back(tuple); }

  void report_limit(LimitKey limit) { limits_reached_ |= std::uint32_t{1} << static_cast<unsigned>(limit); }

  // Reserves memory for this many messages and their heads, so that answers can be written even when no
  // memory is left.
  void reserve(std::size_t messages) {
    to_clients_.reserve(messages);
    to_peers_.reserve(messages);
    to_relays_.reserve(messages);
    heads_.reserve(messages * kUsualHead);
    reserve_for_news();
  }

  // Reserves memory for the report of the end or the move of one allocation: one Lifetime, two left 5-tuples,
  // and two relays. The report then cannot fail for want of memory after the event itself.
  void reserve_for_news() {
    make_room(lifetimes_, 1);
    make_room(left_, 2);
    make_room(closing_, 2);
  }

  void report(Lifetime lifetime) { lifetimes_.push_back(std::move(lifetime)); }
  void report(Refusal refusal) { refusals_.push_back(std::move(refusal)); }
  // Closes the relay after all datagrams in to_peers() were sent through it.
  void close(Relay relay) { closing_.push_back(std::move(relay)); }

  // The shell calls these when it has carried out one list before the others.
  void clear_to_peers() { to_peers_.clear(); }
  void clear_forwards() { forwards_.clear(); }
  void close_relays() { closing_.clear(); }

  void clear() {
    to_clients_.clear();
    to_peers_.clear();
    to_relays_.clear();
    lifetimes_.clear();
    refusals_.clear();
    closing_.clear();
    forwards_.clear();
    left_.clear();
    heads_.clear();
    limits_reached_ = 0;
  }

 private:
  static constexpr std::size_t kUsualHead = 256;

  template <class T>
  static void make_room(std::vector<T>& list, std::size_t more) {
    if (list.size() + more > list.capacity()) list.reserve(2 * list.size() + 8);
  }

  std::vector<ToClient> to_clients_;
  std::vector<ToPeer> to_peers_;
  std::vector<ToRelay> to_relays_;
  std::vector<Lifetime> lifetimes_;
  std::vector<Refusal> refusals_;
  std::vector<Relay> closing_;
  std::vector<Forward> forwards_;
  std::vector<FiveTuple> left_;
  std::vector<std::uint8_t> heads_;
  std::uint32_t limits_reached_ = 0;
};

}  // namespace turnpike::turn
