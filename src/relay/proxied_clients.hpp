// The UDP and DTLS clients of one worker that come through load balancers: it finds the client of each
// datagram, and the destination of each answer. A balancer uses one address and port for each client;
// datagrams to that address reach the client, without a header. Each datagram from the balancer, or only the
// first one of a client, has a header of the PROXY protocol with the address of the client.
//
// A flow is a balancer's address and port together with its client. The path in the 5-tuple of such a client
// names the flow. So a client that comes by two flows is two clients, and the path of an ended flow belongs
// to no client. The bits of a path are, from the lowest: 16 of the listener, as without a balancer; 16 of the
// index of the flow in the table; 32 that are never used again, and never 0.
//
// It opens no socket and reads no clock. Belongs to one thread.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "net/proxy_header.hpp"
#include "relay/balancers.hpp"
#include "relay/counters.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::relay {

class ProxiedClients {
 public:
  static constexpr std::size_t kMaxFlows = 65'536;
  // A flow that is not held is forgotten when no datagram has come by it for this long. nginx forgets it
  // after ten minutes by default; a balancer that writes no second header must forget first.
  static constexpr Duration kForgottenAfter = std::chrono::minutes(15);

  explicit ProxiedClients(const HashKey& key);

  struct Arrival {
    FiveTuple tuple;              // the 5-tuple of the client; its transport is udp
    std::size_t header_size = 0;  // the offset of the client's own bytes
  };
  // Processes a datagram that came to a listener behind balancers. `route` is the 5-tuple of the balancer:
  // its address, and the path of the listener. Returns nothing when the datagram is dropped. Throws
  // std::bad_alloc.
  std::optional<Arrival> receive(const Balancers& balancers, const FiveTuple& route, Bytes datagram,
                                 SteadyTime now);

  // --- By the path of a client by UDP, or the one that an association was made with
  static std::uint32_t listener_of(PathId path) { return bits_of(path) & kListenerMask; }
  static bool is_proxied(PathId path) { return bits_of(path) >> kSerialAt != 0; }
  // The destination of datagrams to a client for which is_proxied() is true. The pointer is valid until the
  // next call that is not const. Null, which is counted, when the flow has ended.
  const Endpoint* route_to(PathId path);

  // A flow is held when it has an allocation, of this worker or of another one, or an association. It then
  // stays until the balancer uses the port for another client. These functions do nothing for the paths of
  // clients without a balancer and of ended flows.
  void set_allocation(PathId path, bool has_allocation);
  void hold(PathId path);
  void release(PathId path);

  void on_timeout(SteadyTime now);
  // SteadyTime::max() when nothing is waited for.
  SteadyTime next_deadline() const;

  std::size_t flows() const { return by_route_.size(); }
  const ProxyCounters& counters() const { return counters_; }

 private:
  static constexpr int kPlaceAt = 16;
  static constexpr int kSerialAt = 32;
  static constexpr std::uint64_t kListenerMask = 0xFFFF;
  static constexpr std::uint64_t kPlaceMask = 0xFFFF;
  static_assert(kMaxFlows == kPlaceMask + 1);

  static constexpr std::uint64_t bits_of(PathId path) { return static_cast<std::uint64_t>(path); }
  static std::uint16_t place_of(PathId path) {
    return static_cast<std::uint16_t>(bits_of(path) >> kPlaceAt & kPlaceMask);
  }

  struct Flow : boost::intrusive::list_base_hook<> {
    FiveTuple route;
    Endpoint client;
    PathId path{};  // 0 while the place is free
    SteadyTime heard_at{};
    std::uint32_t holds = 0;  // the number of holds; with 0 it is in idle_
    bool has_allocation = false;
  };

  std::optional<Arrival> receive_without_header(const Balancers& balancers, const FiveTuple& route,
                                                SteadyTime now);
  std::optional<Arrival> receive_proxied(const Balancers& balancers, const FiveTuple& route,
                                         const net::ProxyHeader& header, SteadyTime now);
  std::optional<Arrival> arrive(Flow& flow, std::size_t header_size, SteadyTime now);
  Flow* find(const FiveTuple& route);
  Flow* find(PathId path);
  bool make_room(const Balancers& balancers);
  Flow& make(const FiveTuple& route, const Endpoint& client);
  std::uint16_t free_place();
  void forget(Flow& flow);

  boost::unordered_flat_map<FiveTuple, std::uint16_t, KeyedHash> by_route_;
  std::deque<Flow> flows_;  // by their places
  std::vector<std::uint16_t> free_;
  boost::intrusive::list<Flow> idle_;  // without a hold; the one that was active longest ago comes first
  std::uint32_t serial_;
  SteadyTime now_{};  // of the last call that was told the time
  ProxyCounters counters_;
};

}  // namespace turnpike::relay
