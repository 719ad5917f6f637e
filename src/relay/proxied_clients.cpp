#include "relay/proxied_clients.hpp"

namespace turnpike::relay {

// Each worker begins its serial numbers at another value, since two workers know a client that has moved (RFC
// 8016) by the same number.
ProxiedClients::ProxiedClients(const HashKey& key)
    : by_route_(0, KeyedHash(key)), serial_(static_cast<std::uint32_t>(KeyedHash(key)(std::uint64_t{0}))) {}

// --- What balancers send

std::optional<ProxiedClients::Arrival> ProxiedClients::receive(const Balancers& balancers,
                                                               const FiveTuple& route, Bytes datagram,
                                                               SteadyTime now) {
  now_ = now;
  if (!is_any_of(balancers.addresses, route.client.address)) {
    ++counters_.untrusted;
    return std::nullopt;
  }
  const std::optional<net::ProxyHeader> header = net::find_proxy_header(datagram);
  if (!header) return receive_without_header(balancers, route, now);
  if (header->kind == net::ProxyHeader::Kind::invalid) {
    ++counters_.malformed;
    return std::nullopt;
  }
  return receive_proxied(balancers, route, *header, now);
}

std::optional<ProxiedClients::Arrival> ProxiedClients::receive_without_header(const Balancers& balancers,
                                                                              const FiveTuple& route,
                                                                              SteadyTime now) {
  Flow* flow = balancers.header_on_first_only ? find(route) : nullptr;
  if (flow) return arrive(*flow, 0, now);
  ++counters_.without_header;
  return std::nullopt;
}

// A balancer that writes a header only on the first datagram forwards all others unchanged. A later header
// that contradicts the first one is therefore forged by the client. A balancer that writes a header on each
// datagram has itself written the first header in it; when that names another client, the balancer has reused
// its port.
std::optional<ProxiedClients::Arrival> ProxiedClients::receive_proxied(const Balancers& balancers,
                                                                       const FiveTuple& route,
                                                                       const net::ProxyHeader& header,
                                                                       SteadyTime now) {
  const bool is_local = header.kind == net::ProxyHeader::Kind::local;
  Flow* flow = find(route);
  if (flow && (is_local || flow->client != header.client)) {
    if (balancers.header_on_first_only) {
      ++counters_.contradicted;
      return std::nullopt;
    }
    if (!is_local) {
      forget(*flow);
      flow = nullptr;
    }
  }
  if (is_local) return Arrival{route, header.size};
  if (!flow) {
    if (!make_room(balancers)) {
      ++counters_.no_room;
      return std::nullopt;
    }
    flow = &make(route, header.client);
  }
  return arrive(*flow, header.size, now);
}

std::optional<ProxiedClients::Arrival> ProxiedClients::arrive(Flow& flow, std::size_t header_size,
                                                              SteadyTime now) {
  flow.heard_at = now;
  if (flow.holds == 0) idle_.splice(idle_.end(), idle_, idle_.iterator_to(flow));
  return Arrival{{flow.client, flow.route.server, Transport::udp, flow.path}, header_size};
}

// --- The table

ProxiedClients::Flow* ProxiedClients::find(const FiveTuple& route) {
  const auto found = by_route_.find(route);
  return found == by_route_.end() ? nullptr : &flows_[found->second];
}

ProxiedClients::Flow* ProxiedClients::find(PathId path) {
  const std::size_t place = place_of(path);
  if (!is_proxied(path) || place >= flows_.size()) return nullptr;
  return flows_[place].path == path ? &flows_[place] : nullptr;
}

// When each datagram has a header, the oldest flow that nobody needs can be dropped, since its next datagram
// names the client again. When only the first one has a header, the client of a dropped flow could claim to
// be somebody else.
bool ProxiedClients::make_room(const Balancers& balancers) {
  if (by_route_.size() < kMaxFlows) return true;
  if (balancers.header_on_first_only || idle_.empty()) return false;
  ++counters_.evicted;
  forget(idle_.front());
  return true;
}

// When this throws std::bad_alloc, the table is unchanged.
ProxiedClients::Flow& ProxiedClients::make(const FiveTuple& route, const Endpoint& client) {
  const std::uint16_t place = free_place();
  by_route_.emplace(route, place);
  free_.pop_back();
  ++counters_.begun;
  if (++serial_ == 0) ++serial_;
  Flow& flow = flows_[place];
  flow.route = route;
  flow.client = client;
  flow.path = PathId{listener_of(route.path) | std::uint64_t{place} << kPlaceAt |
                     std::uint64_t{serial_} << kSerialAt};
  flow.holds = 0;
  flow.has_allocation = false;
  idle_.push_back(flow);
  return flow;
}

// Returns the last element of free_, which it leaves there.
std::uint16_t ProxiedClients::free_place() {
  if (free_.empty()) {
    // Room for all flows is reserved here, so that forget() needs no memory.
    if (free_.capacity() <= flows_.size()) free_.reserve(2 * flows_.size() + 16);
    flows_.emplace_back();
    free_.push_back(static_cast<std::uint16_t>(flows_.size() - 1));
  }
  return free_.back();
}

void ProxiedClients::forget(Flow& flow) {
  if (flow.holds == 0) idle_.erase(idle_.iterator_to(flow));
  by_route_.erase(flow.route);
  free_.push_back(place_of(flow.path));
  flow.path = PathId{};
}

// --- What clients get, and how long they stay

const Endpoint* ProxiedClients::route_to(PathId path) {
  const Flow* flow = find(path);
  if (flow) return &flow->route.client;
  ++counters_.unreachable;
  return nullptr;
}

void ProxiedClients::set_allocation(PathId path, bool has_allocation) {
  Flow* flow = find(path);
  if (!flow || flow->has_allocation == has_allocation) return;
  flow->has_allocation = has_allocation;
  if (has_allocation) {
    hold(path);
  } else {
    release(path);
  }
}

void ProxiedClients::hold(PathId path) {
  Flow* flow = find(path);
  if (flow && flow->holds++ == 0) idle_.erase(idle_.iterator_to(*flow));
}

// After the release, the flow counts as if a datagram had just arrived.
void ProxiedClients::release(PathId path) {
  Flow* flow = find(path);
  if (!flow || --flow->holds != 0) return;
  flow->heard_at = now_;
  idle_.push_back(*flow);
}

void ProxiedClients::on_timeout(SteadyTime now) {
  now_ = now;
  while (next_deadline() <= now) forget(idle_.front());
}

SteadyTime ProxiedClients::next_deadline() const {
  return idle_.empty() ? SteadyTime::max() : idle_.front().heard_at + kForgottenAfter;
}

}  // namespace turnpike::relay
