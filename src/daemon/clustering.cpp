// What the daemon does as a node of a cluster: it tells the other nodes what it is and how full it is, and
// sends clients to them.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "cluster/seal.hpp"
#include "daemon/daemon.hpp"
#include "net/asio_types.hpp"
#include "relay/clock.hpp"
#include "relay/log_event.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::daemon {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kAgeUnit{1};  // allocations report their age in whole seconds, rounded down

// Returns whether a record may contain the name. Other nodes refuse a whole record with a name of another
// form, and clients choose their names.
bool can_be_told(std::string_view name) {
  return name.size() <= cluster::NodeRecord::kMaxHolder && is_utf8(name);
}

json::object object_of(const cluster::NodeRecord::Use& use) {
  return {{"used", use.used}, {"limit", use.limit}};
}

json::object object_of(const cluster::NodeRecord& node, bool is_self, const cluster::Nodes& nodes) {
  return {{"name", node.name},
          {"self", is_self},
          {"name_used_twice", nodes.is_used_twice(node.name)},
          {"ready", node.ready},
          {"draining", node.draining},
          {"load", node.load()},
          {"allocations", object_of(node.allocations)},
          {"ports", object_of(node.ports)},
          {"octets_per_second", node.octets_per_second}};
}

}  // namespace

std::shared_ptr<net::TicketKeys> make_ticket_keys(const cluster::Params& cluster) {
  if (!cluster.is_enabled()) return std::make_shared<net::TicketKeys>();
  const auto derive = [secret = cluster.secrets.front()](std::int64_t period) {
    const auto part = [&](const char* use) {
      return cluster::derive_key(secret,
                                 std::string("turnpike ticket ") + use + ' ' + std::to_string(period));
    };
    net::TicketKeys::Key key;
    std::ranges::copy_n(part("name").begin(), net::TicketKeys::kNameSize, key.name.begin());
    key.cipher = part("cipher");
    key.mac = part("mac");
    return key;
  };
  const auto since_epoch = [] {
    return SteadyTime(
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
  };
  return std::make_shared<net::TicketKeys>(derive, since_epoch);
}

void Daemon::join_cluster() {
  if (!config_.cluster.is_enabled()) return;
  find_own_urls();
  for (const std::string& secret : config_.cluster.secrets) {
    if (secret_ids_.size() < cluster::NodeRecord::kMaxSecrets)
      secret_ids_.push_back(cluster::secret_id(secret));
  }
  cluster::Nodes::Hooks hooks{
      .clock = relay::read_clocks,
      .describe = [this] { return describe_node(); },
      .changed = [this](const std::vector<cluster::NodeRecord>& others) { follow_nodes(others); },
      .carry_out = [this](const cluster::Order& order) { return carry_out(order); },
      .revoked = [this](const std::vector<auth::Revocation>& list) { apply_revocations_of_others(list); },
      .list_revoked = [this] { return revocations_.list(relay::read_clocks().wall); },
      .warn = [](const std::string& line) { spdlog::warn(line); },
  };
  // When the rooms of the signaling cannot reach Redis either, they report this themselves.
  hooks.unreachable = [this](const std::string& why) {
    if (!signaling_ || signaling_->is_linked())
      spdlog::warn(fmt::format("cluster: Redis cannot be reached: {}", why));
  };
  if (!config_.signaling.enabled) {
    hooks.connected = [this] {
      spdlog::info(fmt::format("cluster: Redis is there, and this is node {}", config_.cluster.node));
    };
    hooks.disconnected = [](const std::string& why) {
      spdlog::warn(fmt::format("cluster: Redis is away ({}): quotas are those of this node", why));
    };
  }
  nodes_.emplace(control_, config_.cluster, std::move(hooks));
}

// Returns the address of the listener that other nodes give to clients, or nothing when it is not known.
std::optional<Endpoint> Daemon::public_endpoint(const Endpoint& listener) const {
  std::optional<IpAddress> address = listener.address;
  if (listener.address.is_unspecified()) {
    address = listener.address.is_v4() ? addresses_.default_v4 : addresses_.default_v6;
  }
  if (!address) return std::nullopt;
  return Endpoint{relays_.addresses()->to_advertised(*address), listener.port};
}

cluster::NodeRecord::Held Daemon::held(turn::Quota& quota) const {
  if (quota.per_user() == 0) return {};
  auto held = quota.held_by_users(cluster::NodeRecord::kMaxHeld);
  std::erase_if(held, [](const auto& entry) { return !can_be_told(entry.first); });
  return held;
}

// Users who want less than a sixteenth of the limit here are left out, since each node grants every user that
// much anyway.
turn::Quota::Demands Daemon::measure_demands(std::chrono::duration<double> elapsed) {
  const std::uint32_t limit = config_.limits.bytes_per_second_per_user;
  if (limit == 0 || !nodes_) return {};
  auto demands = quota_.measure_demands(elapsed, limit, std::max<std::uint64_t>(1, limit / 16),
                                        cluster::NodeRecord::kMaxHeld);
  std::erase_if(demands, [](const auto& entry) { return !can_be_told(entry.first); });
  return demands;
}

// The URLs change only with the configuration. They are not computed for each record, because IceServers
// creates an OpenSSL library context, which takes too long.
void Daemon::find_own_urls() {
  signaling::IceParams params;
  params.listeners = listeners_.announced();
  params.host = config_.signaling.public_host.empty() ? config_.cluster.node : config_.signaling.public_host;
  const std::string host = params.host;
  own_urls_ = signaling::IceServers(std::move(params)).choose_urls(host);
}

cluster::NodeRecord Daemon::describe_node() {
  const relay::RelayPool::PortUse ports = relays_.port_use();
  cluster::NodeRecord record;
  record.name = config_.cluster.node;
  record.stun_urls = own_urls_.stun;
  record.turn_urls = own_urls_.turn;
  for (const signaling::IceParams::Listener& listener : listeners_.announced()) {
    if (const auto endpoint = public_endpoint(listener.endpoint)) {
      record.listeners.push_back({listener.transport, *endpoint});
    }
  }
  record.held_by_user = held(quota_);
  record.held_by_address = held(address_quota_);
  record.allocations = {quota_.in_use(), config_.limits.allocations};
  record.ports = {ports.taken, ports.of};
  const auto now = std::chrono::steady_clock::now();
  if (const auto elapsed = relayed_rate_.count(relayed_octets(), now)) demands_ = measure_demands(*elapsed);
  record.demand_by_user = demands_;
  record.octets_per_second = relayed_rate_.per_second();
  record.ready = ready_ && !drain_;
  record.draining = drain_ != nullptr;
  record.secrets = secret_ids_;
  return record;
}

void Daemon::follow_nodes(const std::vector<cluster::NodeRecord>& others) {
  std::vector<signaling::OtherNode> ready;
  std::vector<turn::AlternateServer> servers;
  for (const cluster::NodeRecord& node : others) {
    if (!node.ready) continue;
    ready.push_back({node.stun_urls, node.turn_urls, node.load(), node.octets_per_second});
    if (node.load() >= 1) continue;
    for (const cluster::NodeRecord::Listener& listener : node.listeners) {
      servers.push_back({listener.transport, listener.endpoint, node.name});
    }
  }
  turn::Quota::Held by_user;
  turn::Quota::Held by_address;
  for (const cluster::NodeRecord& node : others) {
    for (const auto& [name, count] : node.held_by_user) by_user[name] += count;
    for (const auto& [name, count] : node.held_by_address) by_address[name] += count;
  }
  quota_.set_held_elsewhere(by_user);
  address_quota_.set_held_elsewhere(by_address);
  if (const std::uint32_t limit = config_.limits.bytes_per_second_per_user; limit != 0) {
    turn::Quota::Demands elsewhere;
    for (const cluster::NodeRecord& node : others) {
      for (const auto& [name, demand] : node.demand_by_user) {
        turn::Demand& sum = elsewhere[name];
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += demand[i];
      }
    }
    quota_.share_limit(limit, elsewhere);
  }
  const cluster::NodeRecord own = describe_node();
  if (signaling_) {
    signaling_->set_nodes(std::move(ready), own.load(), own.octets_per_second, own.ready);
    choose_name_secret(others);
  }
  if (!config_.relay.alternates.from_cluster || servers == config_.relay.alternates.servers) return;
  config_.relay.alternates.servers = std::move(servers);
  post_settings();
}

// While an operator changes the secrets on one node after the other, the first secrets of nodes differ, but
// guests need the same name on all nodes. So the name depends on a secret that all nodes have. Without Redis,
// it does not change.
void Daemon::choose_name_secret(const std::vector<cluster::NodeRecord>& others) {
  if (!nodes_ || !nodes_->knows_others()) return;
  const auto common = cluster::find_common_secret(secret_ids_, others);
  if (!common || common == common_secret_) return;
  common_secret_ = common;
  signaling_->set_name_secret(cluster::credential_secret(config_.cluster.secrets[*common]));
}

void Daemon::end_user(const std::string& user, std::chrono::milliseconds min_age) {
  spdlog::info(fmt::format("the allocations of {} end, because an operator wants it", relay::quoted(user)));
  for (relay::Mailbox& mailbox : mailboxes_) {
    mailbox.post(
        relay::ListAllocations{[&mailbox, user, min_age](const std::vector<turn::AllocationInfo>& list) {
          for (const turn::AllocationInfo& one : list) {
            if (one.age + kAgeUnit > min_age && auth::is_name_of(one.username, user))
              mailbox.post(relay::EndAllocation{one.number, [](bool) {}});
          }
        }});
  }
}

http::Awaitable<json::object> Daemon::end_user_everywhere(std::string user) {
  end_user(user);
  const Publication publish = [this, user](cluster::Nodes::WhenKnown then) {
    nodes_->publish({cluster::Order::Kind::end_user, user}, std::move(then));
  };
  co_return to_json(co_await publish_and_wait(publish));
}

http::Awaitable<cluster::Outcome> Daemon::publish_and_wait(Publication publish) {
  if (!nodes_) co_return cluster::Outcome();
  struct Answer {
    std::optional<cluster::Outcome> outcome;
    net::Timer known;
  };
  const auto answer = std::make_shared<Answer>(
      Answer{std::nullopt, net::Timer(control_.get_executor(), net::Timer::time_point::max())});
  publish([answer](const cluster::Outcome& outcome) {
    answer->outcome = outcome;
    answer->known.cancel();
  });
  if (!answer->outcome) co_await answer->known.async_wait(net::kAsTuple);
  co_return *answer->outcome;
}

json::object Daemon::to_json(const cluster::Outcome& outcome) {
  json::array missed;
  for (const cluster::Outcome::Missed& one : outcome.missed)
    missed.push_back({{"node", one.node}, {"why", one.why}});
  return {{"everywhere", outcome.is_everywhere()}, {"missed", std::move(missed)}};
}

cluster::OrderResult Daemon::carry_out(const cluster::Order& order) {
  // Allocations that began after the order was given stay.
  const WallTime now = relay::read_clocks().wall;
  const auto passed = order.given ? std::max(Duration::zero(), now - *order.given) : Duration::zero();
  switch (order.kind) {
    case cluster::Order::Kind::end_user: end_user(order.name, passed); break;
    case cluster::Order::Kind::remove_user: return remove_user_as_ordered(order);
    case cluster::Order::Kind::revoke: break;
  }
  return cluster::OrderResult::done;
}

// This node is the first in the list.
json::array Daemon::list_nodes() {
  json::array list;
  if (!nodes_) return list;
  list.push_back(object_of(describe_node(), true, *nodes_));
  for (const cluster::NodeRecord& node : nodes_->others()) list.push_back(object_of(node, false, *nodes_));
  return list;
}

}  // namespace turnpike::daemon
