#include "daemon/clustering.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "cluster/seal.hpp"
#include "net/asio_types.hpp"
#include "relay/clock.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::daemon {
namespace {

namespace json = boost::json;

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

cluster::NodeRecord::Held held_by_users(turn::Quota& quota) {
  if (quota.per_user() == 0) return {};
  auto held = quota.held_by_users(cluster::NodeRecord::kMaxHeld);
  std::erase_if(held, [](const auto& entry) { return !can_be_told(entry.first); });
  return held;
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

json::object to_json(const cluster::Outcome& outcome) {
  json::array missed;
  for (const cluster::Outcome::Missed& one : outcome.missed)
    missed.push_back({{"node", one.node}, {"why", one.why}});
  return {{"everywhere", outcome.is_everywhere()}, {"missed", std::move(missed)}};
}

Clustering::Clustering(Parts parts)
    : parts_(std::move(parts)), config_(parts_.config), relayed_rate_(parts_.started) {}

void Clustering::join() {
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
      .carry_out = parts_.carry_out,
      .revoked = parts_.revoked,
      .list_revoked = parts_.list_revoked,
      .warn = [](const std::string& line) { spdlog::warn(line); },
  };
  // When the rooms of the signaling cannot reach Redis either, they report this themselves.
  hooks.unreachable = [this](const std::string& why) {
    if (!parts_.threads.signaling() || parts_.threads.signaling()->is_linked())
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
  nodes_.emplace(parts_.io, config_.cluster, std::move(hooks));
}

void Clustering::start() {
  if (nodes_) nodes_->start();
}

void Clustering::stop() {
  if (nodes_) nodes_->stop();
}

void Clustering::announce() {
  if (nodes_) nodes_->announce();
}

void Clustering::follow_config() {
  if (nodes_) find_own_urls();
}

// Returns the address of the listener that other nodes give to clients, or nothing when it is not known.
std::optional<Endpoint> Clustering::public_endpoint(const Endpoint& listener) const {
  std::optional<IpAddress> address = listener.address;
  if (listener.address.is_unspecified()) {
    address = listener.address.is_v4() ? parts_.addresses.default_v4 : parts_.addresses.default_v6;
  }
  if (!address) return std::nullopt;
  return Endpoint{parts_.relays.addresses()->to_advertised(*address), listener.port};
}

// Users who want less than a sixteenth of the limit here are left out, since each node grants every user that
// much anyway.
turn::Quota::Demands Clustering::measure_demands(std::chrono::duration<double> elapsed) {
  const std::uint32_t limit = config_.limits.bytes_per_second_per_user;
  if (limit == 0 || !nodes_) return {};
  auto demands = parts_.quota.measure_demands(elapsed, limit, std::max<std::uint64_t>(1, limit / 16),
                                              cluster::NodeRecord::kMaxHeld);
  std::erase_if(demands, [](const auto& entry) { return !can_be_told(entry.first); });
  return demands;
}

// The URLs change only with the configuration. They are not computed for each record, because IceServers
// creates an OpenSSL library context, which takes too long.
void Clustering::find_own_urls() {
  signaling::IceParams params;
  params.listeners = parts_.listeners.announced();
  params.host = config_.signaling.public_host.empty() ? config_.cluster.node : config_.signaling.public_host;
  const std::string host = params.host;
  own_urls_ = signaling::IceServers(std::move(params)).choose_urls(host);
}

cluster::NodeRecord Clustering::describe_node() {
  const relay::RelayPool::PortUse ports = parts_.relays.port_use();
  cluster::NodeRecord record;
  record.name = config_.cluster.node;
  record.stun_urls = own_urls_.stun;
  record.turn_urls = own_urls_.turn;
  for (const signaling::IceParams::Listener& listener : parts_.listeners.announced()) {
    if (const auto endpoint = public_endpoint(listener.endpoint)) {
      record.listeners.push_back({listener.transport, *endpoint});
    }
  }
  record.held_by_user = held_by_users(parts_.quota);
  record.held_by_address = held_by_users(parts_.address_quota);
  record.allocations = {parts_.quota.in_use(), config_.limits.allocations};
  record.ports = {ports.taken, ports.of};
  const auto now = std::chrono::steady_clock::now();
  const State state = parts_.state();
  if (const auto elapsed = relayed_rate_.count(state.relayed_octets, now))
    demands_ = measure_demands(*elapsed);
  record.demand_by_user = demands_;
  record.octets_per_second = relayed_rate_.per_second();
  record.ready = state.is_ready;
  record.draining = state.is_draining;
  record.secrets = secret_ids_;
  return record;
}

void Clustering::follow_nodes(const std::vector<cluster::NodeRecord>& others) {
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
  share_quotas(others);
  const cluster::NodeRecord own = describe_node();
  if (parts_.threads.signaling()) {
    parts_.threads.signaling()->set_nodes(std::move(ready), own.load(), own.octets_per_second, own.ready);
    choose_name_secret(others);
  }
  if (!config_.relay.alternates.from_cluster || servers == config_.relay.alternates.servers) return;
  parts_.use_alternates(std::move(servers));
}

void Clustering::share_quotas(const std::vector<cluster::NodeRecord>& others) {
  turn::Quota::Held by_user;
  turn::Quota::Held by_address;
  for (const cluster::NodeRecord& node : others) {
    for (const auto& [name, count] : node.held_by_user) by_user[name] += count;
    for (const auto& [name, count] : node.held_by_address) by_address[name] += count;
  }
  parts_.quota.set_held_elsewhere(by_user);
  parts_.address_quota.set_held_elsewhere(by_address);
  if (const std::uint32_t limit = config_.limits.bytes_per_second_per_user; limit != 0) {
    turn::Quota::Demands elsewhere;
    for (const cluster::NodeRecord& node : others) {
      for (const auto& [name, demand] : node.demand_by_user) {
        turn::Demand& sum = elsewhere[name];
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += demand[i];
      }
    }
    parts_.quota.share_limit(limit, elsewhere);
  }
}

// While an operator changes the secrets on one node after the other, the first secrets of nodes differ, but
// guests need the same name on all nodes. So the name depends on a secret that all nodes have. Without Redis,
// it does not change.
void Clustering::choose_name_secret(const std::vector<cluster::NodeRecord>& others) {
  if (!nodes_ || !nodes_->knows_others()) return;
  const auto common = cluster::find_common_secret(secret_ids_, others);
  if (!common || common == common_secret_) return;
  common_secret_ = common;
  parts_.threads.signaling()->set_name_secret(cluster::credential_secret(config_.cluster.secrets[*common]));
}

http::Awaitable<cluster::Outcome> Clustering::publish_order(cluster::Order order) {
  const Publication publish = [this, order = std::move(order)](cluster::Nodes::WhenKnown then) {
    nodes_->publish(order, std::move(then));
  };
  co_return co_await publish_and_wait(publish);
}

http::Awaitable<cluster::Outcome> Clustering::publish_revocation(auth::Revocation revocation) {
  const Publication publish = [this, revocation = std::move(revocation)](cluster::Nodes::WhenKnown then) {
    nodes_->share(revocation, std::move(then));
  };
  co_return co_await publish_and_wait(publish);
}

void Clustering::share(const auth::Revocation& revocation) {
  if (nodes_) nodes_->share(revocation);
}

http::Awaitable<cluster::Outcome> Clustering::publish_and_wait(Publication publish) {
  if (!nodes_) co_return cluster::Outcome();
  struct Answer {
    std::optional<cluster::Outcome> outcome;
    net::Timer known;
  };
  const auto answer = std::make_shared<Answer>(
      Answer{std::nullopt, net::Timer(parts_.io.get_executor(), net::Timer::time_point::max())});
  publish([answer](const cluster::Outcome& outcome) {
    answer->outcome = outcome;
    answer->known.cancel();
  });
  if (!answer->outcome) co_await answer->known.async_wait(net::kAsTuple);
  co_return *answer->outcome;
}

json::array Clustering::list_nodes() {
  json::array list;
  if (!nodes_) return list;
  list.push_back(object_of(describe_node(), true, *nodes_));
  for (const cluster::NodeRecord& node : nodes_->others()) list.push_back(object_of(node, false, *nodes_));
  return list;
}

void Clustering::add_metrics(std::vector<admin::Metric>& metrics) const {
  if (!nodes_) return;
  const auto gauge = [&](const char* family, const char* help, double value) {
    metrics.push_back({family, help, admin::MetricKind::gauge, {}, value});
  };
  metrics.push_back({"cluster_records_refused_total",
                     "Records of nodes and orders to nodes that were not signed, were malformed or were old.",
                     admin::MetricKind::counter,
                     {},
                     static_cast<double>(nodes_->refused())});
  const bool is_connected =
      nodes_->is_connected() && (!parts_.threads.signaling() || parts_.threads.signaling()->is_linked());
  gauge("cluster_connected",
        "1 while all connections to Redis are open and reach the same server, otherwise 0.",
        is_connected ? 1 : 0);
  gauge("cluster_nodes", "Present nodes of the cluster, this one included.",
        static_cast<double>(1 + nodes_->others().size()));
}

}  // namespace turnpike::daemon
