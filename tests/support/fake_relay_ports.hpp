// RelayPorts without sockets. A FakeRelayHost is the machine: at most one address of each family, a range of
// ports, the reservations, the 1:1 NAT, and the calls that shall fail. Each worker has a FakeRelayPorts,
// which takes the lowest free port of the host, so that a test can predict addresses.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/failing_new.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::test {

class FakeRelayHost {
 public:
  struct Params {
    std::optional<IpAddress> v4 = IpAddress::parse("192.0.2.1");
    std::optional<IpAddress> v6 = IpAddress::parse("2001:db8::1");
    std::map<IpAddress, IpAddress> advertise;  // local -> the address that clients see
    std::uint16_t first_port = 50000;
    std::uint16_t last_port = 50999;
  };

  explicit FakeRelayHost(Params params) : params_(std::move(params)) {}

  const Params& params() const { return params_; }

  // Makes the n-th future call of open or claim fail with `error`; 1 means the next one.
  void fail_call(unsigned n, turn::RelayError error) { failures_[calls_ + n] = error; }
  void fail_every_call(turn::RelayError error) { fail_always_ = error; }
  void stop_failing() {
    failures_.clear();
    fail_always_.reset();
  }
  unsigned calls() const { return calls_; }
  // The machine no longer has this address. Its relays stay open.
  void lose(const IpAddress& address) { lost_.insert(address); }

  // The server address that the client of the last open() came to.
  const IpAddress& client_side() const { return client_side_; }

  std::size_t open_relays() const { return open_.size(); }
  std::size_t reservations() const { return reserved_.size(); }
  bool is_open(const Endpoint& local) const { return open_.contains(local); }
  std::size_t prepared_relays() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(open_, [](const auto& entry) { return entry.second.is_prepared; }));
  }

 private:
  friend class FakeRelayPorts;

  struct Reservation {
    std::string owner;
    Endpoint local;
    turn::QuotaSlot slot;
  };

  std::optional<turn::RelayError> count_call() {
    ++calls_;
    const auto failure = failures_.find(calls_);
    return failure == failures_.end() ? fail_always_ : std::optional(failure->second);
  }

  std::optional<IpAddress> address(Family family) const {
    return family == Family::ipv4 ? params_.v4 : params_.v6;
  }

  bool is_free(const Endpoint& local) const {
    if (local.port < params_.first_port || local.port > params_.last_port || open_.contains(local))
      return false;
    return std::ranges::none_of(reserved_, [&](const auto& entry) { return entry.second.local == local; });
  }

  std::optional<Endpoint> find_free(const IpAddress& address, bool even, bool pair) const {
    for (std::uint32_t port = params_.first_port; port <= params_.last_port; ++port) {
      const Endpoint local{address, static_cast<std::uint16_t>(port)};
      const Endpoint next{address, static_cast<std::uint16_t>(port + 1)};
      if (is_free(local) && (!even || port % 2 == 0) && (!pair || is_free(next))) return local;
    }
    return std::nullopt;
  }

  Params params_;
  unsigned calls_ = 0;
  IpAddress client_side_;
  std::set<IpAddress> lost_;
  std::map<unsigned, turn::RelayError> failures_;
  std::optional<turn::RelayError> fail_always_;
  struct Open {
    turn::RelayedTransport transport{};
    std::uint16_t worker = 0;
    bool is_prepared = false;
  };
  std::map<Endpoint, Open> open_;
  std::map<stun::ReservationToken, Reservation> reserved_;
};

class FakeRelayPorts : public turn::RelayPorts {
 public:
  // `host` must outlive this object.
  explicit FakeRelayPorts(FakeRelayHost& host, unsigned worker = 0)
      : host_(host), worker_(static_cast<std::uint16_t>(worker)) {}

  Result<turn::Relay, turn::RelayError> open(const turn::RelayRequest& request) override {
    const FailingNew::Pause pause;
    if (const auto failure = host_.count_call()) return *failure;
    host_.client_side_ = request.client_side;
    const std::optional<IpAddress> address = host_.address(request.family);
    if (!address) return turn::RelayError::no_address;
    const bool even = request.parity == turn::RelayRequest::Parity::even;
    const auto local = host_.find_free(*address, even, request.reserve_next.has_value());
    if (!local) return turn::RelayError::no_port;
    if (request.reserve_next) {
      const Endpoint next{*address, static_cast<std::uint16_t>(local->port + 1)};
      host_.reserved_[*request.reserve_next] = {std::string(request.owner), next,
                                                std::move(*request.slot_of_next)};
    }
    return make(*local, request.transport);
  }

  Result<turn::Relay, turn::RelayError> claim(const stun::ReservationToken& token, std::string_view owner,
                                              turn::QuotaSlot& slot) override {
    const FailingNew::Pause pause;
    if (const auto failure = host_.count_call()) return *failure;
    const auto found = host_.reserved_.find(token);
    if (found == host_.reserved_.end() || found->second.owner != owner)
      return turn::RelayError::no_reservation;
    const Endpoint local = found->second.local;
    slot = std::move(found->second.slot);
    host_.reserved_.erase(found);
    return make(local, turn::RelayedTransport::udp);
  }

  void release(const stun::ReservationToken& token) override { host_.reserved_.erase(token); }

  void prepare(turn::RelayId id) override {
    host_.open_.at(*relays_[static_cast<std::size_t>(id)]).is_prepared = true;
  }

  bool supports(Family family) const override { return host_.address(family).has_value(); }
  bool is_live(const Endpoint& local, turn::RelayedTransport transport) const override {
    const auto found = host_.open_.find(local);
    return found != host_.open_.end() && found->second.transport == transport &&
           !host_.lost_.contains(local.address);
  }
  std::optional<std::uint16_t> other_worker(const Endpoint& local) const override {
    const auto found = host_.open_.find(local);
    if (found == host_.open_.end() || found->second.transport != turn::RelayedTransport::udp)
      return std::nullopt;
    return found->second.worker == worker_ ? std::nullopt : std::optional(found->second.worker);
  }

  IpAddress to_advertised(const IpAddress& local) const override {
    const auto found = host_.params_.advertise.find(local);
    return found == host_.params_.advertise.end() ? local : found->second;
  }

  IpAddress to_local(const IpAddress& advertised) const override {
    for (const auto& [local, told] : host_.params_.advertise) {
      if (told == advertised) return local;
    }
    return advertised;
  }

  // The relay of this worker that is bound to `local`.
  std::optional<turn::RelayId> find(const Endpoint& local) const {
    const auto found =
        std::ranges::find_if(relays_, [&](const auto& relay) { return relay && *relay == local; });
    if (found == relays_.end()) return std::nullopt;
    return static_cast<turn::RelayId>(found - relays_.begin());
  }

  std::optional<Endpoint> local_of(turn::RelayId id) const {
    const auto index = static_cast<std::size_t>(id);
    return index < relays_.size() ? relays_[index] : std::nullopt;
  }

 private:
  turn::Relay make(const Endpoint& local, turn::RelayedTransport transport) {
    auto slot = std::ranges::find_if(relays_, [](const auto& relay) { return !relay; });
    if (slot == relays_.end()) slot = relays_.insert(slot, std::nullopt);
    *slot = local;
    host_.open_.emplace(local, FakeRelayHost::Open{transport, worker_, false});
    return {*this,
            static_cast<turn::RelayId>(slot - relays_.begin()),
            local,
            {to_advertised(local.address), local.port}};
  }

  void close(turn::RelayId id) override {
    std::optional<Endpoint>& slot = relays_[static_cast<std::size_t>(id)];
    host_.open_.erase(*slot);
    slot.reset();
  }

  FakeRelayHost& host_;
  const std::uint16_t worker_;
  std::vector<std::optional<Endpoint>> relays_;  // by RelayId; the lowest free one is used next
};

}  // namespace turnpike::test
