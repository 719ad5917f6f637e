// A server, its clients and their peers in one test: s.client_sends(allocate()).expect_success();
// s.advance(601s).expect_expired(); It uses no socket and no real clock. After every step the scenario
// compares relays, quota, counters and deadlines with what the clients were told.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/failing_new.hpp"
#include "support/fake_peer_connections.hpp"
#include "support/fake_relay_ports.hpp"
#include "support/manual_clock.hpp"
#include "support/outcome.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::test {

using namespace std::chrono_literals;

struct Setup {
  auth::Params auth{.realm = std::string(kRealm),
                    .users = {{"alice", "alice's password", {}, {}}, {"bob", "bob's password", {}, {}}},
                    .secrets = {},
                    .nonce_lifetime = 600s};
  FakeRelayHost::Params relays;
  turn::PeerParams peers;
  // A limit per user that a test sets holds for all names, as one in the configuration does.
  turn::Limits limits{.allocations_per_user = 0,
                      .counts_shared_names = true,
                      .unauthenticated_per_second = 0,
                      .bindings_per_second = 0,
                      .failures_per_second = 0};
  unsigned workers = 1;
  bool tcp_relay = false;  // RFC 6062
  bool mobility = false;   // RFC 8016
  turn::NatDiscoveries nat_discoveries;
  turn::AlternateParams alternates;
  turn::ClientParams clients;
  turn::DefaultFamily default_family = turn::DefaultFamily::ipv4;
  bool rfc3489 = false;     // see turn::Settings
  bool short_way = true;    // see turn::ServerParams
  bool has_kernel = false;  // what clients send to relayed addresses here arrives there within the step
};

// A user name and password of the TURN REST draft. The user name expires at `expires`.
inline RequestMaker& with_rest_name(RequestMaker& request, std::string_view secret, std::string_view user,
                                    WallTime expires) {
  crypto::Digester digester;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch()).count();
  const std::string name = std::to_string(seconds) + (user.empty() ? "" : ":" + std::string(user));
  return request.as(name, auth::rest_password(digester, secret, name));
}

class Scenario {
 public:
  explicit Scenario(Setup setup = {})
      : setup_(std::move(setup)),
        credentials_(setup_.auth, digester_),
        policy_params_{setup_.peers,
                       own_addresses(),
                       {endpoint("192.0.2.1:3478")},
                       {endpoint("192.0.2.1:443")},
                       setup_.relays.advertise},
        policy_(std::make_unique<turn::PeerPolicy>(policy_params_)),
        quota_(setup_.limits.allocations, setup_.limits.allocations_per_user, HashKey{5, 0}),
        connection_quota_(setup_.limits.peer_connections, setup_.limits.peer_connections_per_user,
                          HashKey{6, 0}),
        address_quota_(0, setup_.limits.allocations_per_address, HashKey{8, 0}),
        clients_(setup_.clients),
        host_(setup_.relays),
        limiters_(setup_.limits, HashKey{7, 0}) {
    for (unsigned i = 0; i < setup_.workers; ++i) workers_.push_back(std::make_unique<Worker>(*this, i));
  }
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;

  ~Scenario() {
    if (allocations() == 0) CHECK(peers_.open.empty());
    workers_.clear();
    CHECK(host_.open_relays() == 0);
    CHECK(quota_.in_use() == host_.reservations());
    CHECK(connection_quota_.in_use() == 0);
    CHECK(address_quota_.in_use() == 0);
  }

  // --- Steps
  // Sends a request. A signed request without a nonce first fetches one, as a client does.
  Outcome client_sends(const RequestMaker& request, int line = __builtin_LINE()) {
    const std::string nonce = request.needs_nonce() ? nonce_of(request.client(), line) : std::string();
    const stun::TransactionId id = request.transaction_id().value_or(next_transaction_id());
    const Octets message = request.build(digester_, nonce, id);
    Outcome outcome = deliver(request.client(), message, line);
    if (request.type().message_class == stun::Class::request) {
      outcome.asked = Outcome::Asked{request.type(),         id,
                                     request.client().tuple, request.signing_of_answer(),
                                     request.key(digester_), request.has_fingerprint()};
      learn(request, outcome);
    }
    check_books(line);
    return outcome;
  }

  // Sends ChannelData, or any other message of a client.
  Outcome client_sends(const Octets& message, const Client& from = client(1), int line = __builtin_LINE()) {
    Outcome outcome = deliver(from, message, line);
    check_books(line);
    return outcome;
  }

  // The client's connection is closed.
  Outcome client_closes(const Client& from, int line = __builtin_LINE()) {
    turn::Output out;
    const auto home = homes_.find(key_of(from.tuple));
    Worker& worker = *workers_[home == homes_.end() ? from.worker : home->second];
    Outcome outcome;
    outcome.line = line;
    call(outcome, [&] { worker.server.on_client_closed(from.tuple, clock_.now(), out); });
    copy(worker, out, {}, outcome);
    check_books(line);
    return outcome;
  }

  // A peer sends to the first relayed address of client 1, or to the given relayed address (in its local
  // form).
  Outcome peer_sends(std::string_view peer, std::string_view payload, int line = __builtin_LINE()) {
    return peer_sends(peer, payload, relayed(client(1)), line);
  }
  Outcome peer_sends(std::string_view peer, std::string_view payload, const Endpoint& relayed,
                     int line = __builtin_LINE()) {
    const Octets datagram(payload.begin(), payload.end());
    return at_relay(relayed, datagram, line, [&](Worker& worker, turn::RelayId relay, turn::Output& out) {
      worker.server.on_peer(relay, endpoint(peer), datagram, clock_.now(), out);
    });
  }
  // A peer sends to a relay number, whichever allocation has it now.
  Outcome peer_sends_to(turn::RelayId relay, std::string_view peer, std::string_view payload,
                        int line = __builtin_LINE()) {
    const Octets datagram(payload.begin(), payload.end());
    turn::Output out;
    workers_[0]->server.on_peer(relay, endpoint(peer), datagram, clock_.now(), out);
    workers_[0]->server.on_icmp(relay, endpoint(peer), {3, 3, 0}, clock_.now(), out);
    Outcome outcome;
    outcome.line = line;
    copy(*workers_[0], out, datagram, outcome);
    return outcome;
  }
  Outcome icmp_arrives(std::string_view peer, const stun::Icmp& icmp, int line = __builtin_LINE()) {
    return at_relay(relayed(client(1)), {}, line,
                    [&](Worker& worker, turn::RelayId relay, turn::Output& out) {
                      worker.server.on_icmp(relay, endpoint(peer), icmp, clock_.now(), out);
                    });
  }

  // Reports the result of the last connection that was requested, by `connect` (RFC 6062).
  Outcome connection_ends_up(bool connected, const Outcome& connect, unsigned worker = 0,
                             int line = __builtin_LINE()) {
    const turn::ConnectionId id{peers_.last_id};
    turn::Output out;
    Outcome outcome;
    outcome.line = line;
    call(outcome, [&] { workers_[worker]->server.on_connected(id, connected, clock_.now(), out); });
    outcome.asked = connect.asked;
    copy(*workers_[worker], out, {}, outcome);
    check_books(line);
    return outcome;
  }
  // A peer connects to a relayed address. `id` is the number of the connection, unless it was refused.
  struct Accepted {
    std::optional<turn::ConnectionId> id;
    Outcome outcome;
  };
  Accepted peer_connects(std::string_view peer, const Endpoint& relayed, int line = __builtin_LINE()) {
    const turn::ConnectionId id = peers_.add();
    Accepted accepted;
    accepted.outcome =
        at_relay(relayed, {}, line, [&](Worker& worker, turn::RelayId relay, turn::Output& out) {
          const Endpoint from = endpoint(peer);
          call(accepted.outcome, [&] {
            if (worker.server.on_accepted(relay, id, from, clock_.now(), out)) accepted.id = id;
          });
        });
    if (!accepted.id) peers_.open.erase(id);
    return accepted;
  }
  void peer_closes(turn::ConnectionId id, unsigned worker = 0) {
    peers_.open.erase(id);
    workers_[worker]->server.on_peer_closed(id);
  }

  // The operator's lists or this machine's addresses change.
  Outcome policy_becomes(const turn::PeerPolicy::Params& params, int line = __builtin_LINE()) {
    auto next = std::make_unique<turn::PeerPolicy>(params);
    Outcome outcome;
    outcome.line = line;
    for (const auto& worker : workers_) {
      turn::Output out;
      worker->server.on_policy(*next, clock_.now(), out);
      copy(*worker, out, {}, outcome);
    }
    policy_ = std::move(next);
    policy_params_ = params;
    check_books(line);
    return outcome;
  }
  // A reload with other networks of clients. `next` must outlive the last step of the scenario.
  Outcome clients_become(const turn::ClientPolicy& next, int line = __builtin_LINE()) {
    Outcome outcome;
    outcome.line = line;
    for (const auto& worker : workers_) {
      turn::Output out;
      turn::Settings changed = settings();
      changed.clients = &next;
      worker->server.on_settings(changed, clock_.now(), out);
      copy(*worker, out, {}, outcome);
    }
    check_books(line);
    return outcome;
  }
  // Reloads with other users and other peers. The former policy does not exist afterwards.
  Outcome reload(const auth::Params& auth, const turn::PeerPolicy::Params& policy,
                 int line = __builtin_LINE()) {
    const auto former = std::exchange(policy_, std::make_unique<turn::PeerPolicy>(policy));
    policy_params_ = policy;
    return settings_become(auth, setup_.limits, false, line);
  }
  // A reload with other users or limits, or the beginning of a drain.
  Outcome settings_become(const auth::Params& auth, const turn::Limits& limits, bool draining = false,
                          int line = __builtin_LINE()) {
    reloaded_.push_back(std::make_unique<auth::CredentialStore>(auth, digester_));
    Outcome outcome;
    outcome.line = line;
    for (const auto& worker : workers_) {
      turn::Output out;
      turn::Settings changed = settings();
      changed.credentials = reloaded_.back().get();
      changed.limits = limits;
      changed.nonce_lifetime = auth.nonce_lifetime;
      changed.draining = draining;
      changed.strict_expiry = auth.strict_expiry;
      turn::Server& server = worker->server;
      const std::size_t before = server.list_allocations(clock_.now()).size();
      const std::size_t foretold = server.list_allocations(clock_.now(), &changed).size();
      const std::uint64_t wanting = server.counters().out_of_memory;
      call(outcome, [&] { server.on_settings(changed, clock_.now(), out); });
      const bool is_complete = !outcome.out_of_memory && server.counters().out_of_memory == wanting;
      if (is_complete) CHECK(before - server.list_allocations(clock_.now()).size() == foretold);
      copy(*worker, out, {}, outcome);
    }
    check_books(line);
    return outcome;
  }
  const Setup& setup() const { return setup_; }
  TimePoint now() const { return clock_.now(); }
  turn::Server& server(unsigned worker = 0) { return workers_[worker]->server; }
  const turn::PeerPolicy::Params& policy() const { return policy_params_; }

  // Time passes; the servers are called at each deadline.
  Outcome advance(Duration duration, int line = __builtin_LINE()) {
    const SteadyTime until = clock_.now().steady + duration;
    Outcome outcome;
    outcome.line = line;
    for (SteadyTime next = next_deadline(); next <= until; next = next_deadline()) {
      clock_.advance(std::max(next, clock_.now().steady) - clock_.now().steady);
      // A server leaves work for the next call only when there is much of it.
      constexpr int kMaxWakes = 10'000;
      int wakes = 0;
      do {
        for (const auto& worker : workers_) wake(*worker, outcome);
      } while (next_deadline() <= clock_.now().steady && ++wakes < kMaxWakes);
      INFO("step in line " << line);
      REQUIRE(wakes < kMaxWakes);
      most_wakes_ = std::max(most_wakes_, wakes + 1);
    }
    clock_.advance(until - clock_.now().steady);
    check_books(line);
    return outcome;
  }
  // The maximum number of calls at one time.
  int most_wakes() const { return most_wakes_; }
  // Time passes, and the servers are not called.
  void advance_asleep(Duration duration) { clock_.advance(duration); }
  void set_wall(Duration duration) { clock_.set_wall(duration); }

  // --- State
  // The next deadline of any server.
  SteadyTime next_deadline() const {
    SteadyTime next = SteadyTime::max();
    for (const auto& worker : workers_) next = std::min(next, worker->server.next_deadline());
    return next;
  }
  std::size_t allocations() const {
    std::size_t total = 0;
    for (const auto& worker : workers_) total += worker->server.allocations();
    return total;
  }
  void expect_no_allocation(int line = __builtin_LINE()) const {
    INFO("step in line " << line);
    REQUIRE(allocations() == 0);
    REQUIRE(host_.open_relays() == 0);
    REQUIRE(quota_.in_use() == host_.reservations());
  }
  // The relayed address of the client, in its local form.
  Endpoint relayed(const Client& c, Family family = Family::ipv4) const {
    const auto known = relayed_.find(key_of(c.tuple));
    REQUIRE(known != relayed_.end());
    const auto found = std::ranges::find(known->second, family, &Endpoint::family);
    REQUIRE((found != known->second.end() || !known->second.empty()));
    return found == known->second.end() ? known->second.front() : *found;
  }
  const turn::Counters& counters(unsigned worker = 0) const { return workers_[worker]->server.counters(); }
  FakeRelayHost& host() { return host_; }
  FakePeers& peers() { return peers_; }
  turn::Quota& quota() { return quota_; }
  turn::Quota& connection_quota() { return connection_quota_; }
  ScriptedRandom& random() { return random_; }
  crypto::Digester& digester() { return digester_; }

  // The nonce of the client, or a new one when that is too old.
  std::string nonce_of(const Client& c, int line = __builtin_LINE()) {
    Nonce& known = nonces_[key_of(c.tuple)];
    if (known.text.empty() || clock_.now().wall - known.learnt > setup_.auth.nonce_lifetime / 2) {
      RequestMaker first = allocate().unsigned_by_anybody().from(c);
      known = {client_sends(first, line).expect_error(401).nonce(), clock_.now().wall};
    }
    return known.text;
  }

 private:
  struct Worker {
    Worker(Scenario& s, unsigned number)
        : ports(s.host_, number),
          connections(s.peers_),
          server({.settings = s.settings(),
                  .ports = ports,
                  .quota = s.quota_,
                  .connection_quota = s.connection_quota_,
                  .limiters = s.limiters_,
                  .random = s.random_,
                  .connections = s.setup_.tcp_relay ? &connections : nullptr,
                  .mobile = {.enabled = s.setup_.mobility,
                             .worker = static_cast<std::uint16_t>(number),
                             .workers = static_cast<std::uint16_t>(s.setup_.workers)},
                  .nonce_key = auth::Nonces::MasterKey{1, 2, 3},
                  .nat_discoveries = s.setup_.nat_discoveries,
                  .address_quota = &s.address_quota_,
                  .server_budgets = &s.server_budgets_,
                  .short_way = s.setup_.short_way}) {}
    FakeRelayPorts ports;
    FakePeerConnections connections;
    turn::Server server;
  };
  struct Nonce {
    std::string text;
    WallTime learnt;
  };

  turn::Settings settings() const {
    return {.credentials = &credentials_,
            .policy = policy_.get(),
            .alternates = &setup_.alternates,
            .limits = setup_.limits,
            .nonce_lifetime = setup_.auth.nonce_lifetime,
            .clients = &clients_,
            .default_family = setup_.default_family,
            .strict_expiry = setup_.auth.strict_expiry,
            .rfc3489 = setup_.rfc3489};
  }

  std::vector<IpAddress> own_addresses() const {
    std::vector<IpAddress> own{address("127.0.0.1"), address("192.0.2.1"), address("192.0.2.2")};
    for (const auto& a : {setup_.relays.v4, setup_.relays.v6}) {
      if (a) own.push_back(*a);
    }
    return own;
  }

  // FiveTuple has no order, so maps use this key.
  using Key = std::tuple<Endpoint, Endpoint, Transport, PathId>;
  static Key key_of(const FiveTuple& t) { return {t.client, t.server, t.transport, t.path}; }

  stun::TransactionId next_transaction_id() {
    stun::TransactionId id{};
    id[0] = 0xAA;
    store_u32(&id[8], ++transactions_);
    return id;
  }

  Outcome deliver(const Client& from, const Octets& message, int line) {
    turn::Output out;
    const auto home = homes_.find(key_of(from.tuple));
    unsigned number = home == homes_.end() ? from.worker : home->second;
    Outcome outcome;
    outcome.line = line;
    call(outcome, [&] { workers_[number]->server.on_client(from.tuple, message, clock_.now(), out); });
    if (!out.forwards().empty()) {  // like the daemon: this message and all that follow
      number = out.forwards().front().worker;
      homes_[key_of(from.tuple)] = number;
      CHECK(out.to_clients().empty());
      out.clear();
      call(outcome, [&] { workers_[number]->server.on_client(from.tuple, message, clock_.now(), out); });
      CHECK(out.forwards().empty());
    }
    copy(*workers_[number], out, message, outcome);
    if (!workers_[number]->server.knows(from.tuple)) homes_.erase(key_of(from.tuple));
    if (setup_.has_kernel) deliver_here(outcome);
    return outcome;
  }

  // This is the long way from a relayed address to another one here, as in the kernel.
  void deliver_here(Outcome& outcome) {
    const auto sent = std::exchange(outcome.to_peers, {});
    for (const Outcome::ToPeer& datagram : sent) {
      if (!workers_[0]->ports.is_live(datagram.peer, turn::RelayedTransport::udp)) {
        outcome.to_peers.push_back(datagram);
        continue;
      }
      const bool by_v4 = datagram.peer.address.is_v4();
      const std::size_t most = by_v4 ? 65'507 : datagram.dont_fragment ? 65'488 : 65'527;
      if (datagram.payload.size() > most) continue;
      for (const auto& worker : workers_) {
        const auto relay = worker->ports.find(datagram.peer);
        if (!relay) continue;
        const Bytes payload = as_bytes(datagram.payload);
        turn::Output out;
        call(outcome, [&] { worker->server.on_peer(*relay, datagram.relayed, payload, clock_.now(), out); });
        copy(*worker, out, payload, outcome);
      }
    }
  }

  template <class Act>
  Outcome at_relay(const Endpoint& relayed, Bytes input, int line, Act act) {
    INFO("step in line " << line);
    for (const auto& worker : workers_) {
      const auto relay = worker->ports.find(relayed);
      if (!relay) continue;
      turn::Output out;
      act(*worker, *relay, out);
      Outcome outcome;
      outcome.line = line;
      copy(*worker, out, input, outcome);
      check_books(line);
      return outcome;
    }
    FAIL("nobody has " << relayed.to_string());
    return {};
  }

  // Calls the server as a worker does: an action that runs out of memory is lost, and the worker continues.
  template <class Act>
  static void call(Outcome& outcome, Act act) {
    try {
      const FailingNew::Counting counting;
      act();
    } catch (const std::bad_alloc&) {
      outcome.out_of_memory = true;
    }
  }

  void wake(Worker& worker, Outcome& outcome) {
    turn::Output out;
    call(outcome, [&] { worker.server.on_timeout(clock_.now(), out); });
    copy(worker, out, {}, outcome);
  }

  // Moves the contents of `out` into `outcome`. Each payload must be a view of the input, because it would
  // dangle otherwise.
  void copy(const Worker& worker, turn::Output& out, Bytes input, Outcome& outcome) {
    outcome.limits_reached |= out.limits_reached();
    const auto lies_inside = [&](Bytes payload) {
      return payload.empty() || (payload.data() >= input.data() &&
                                 payload.data() + payload.size() <= input.data() + input.size());
    };
    for (const auto& m : out.to_clients()) {
      REQUIRE(lies_inside(m.payload));
      Octets message(out.head(m).begin(), out.head(m).end());
      message.insert(message.end(), m.payload.begin(), m.payload.end());
      message.resize(message.size() + m.padding);
      outcome.to_clients.push_back({m.tuple, std::move(message)});
    }
    for (const auto& m : out.to_peers()) {
      REQUIRE(lies_inside(m.payload));
      const auto local = worker.ports.local_of(m.relay);
      REQUIRE(local);
      CHECK(local->family() == m.peer.family());
      outcome.to_peers.push_back({*local, m.peer, std::string(as_text(m.payload)), m.dont_fragment});
    }
    for (const FiveTuple& tuple : out.left()) {
      if (!worker.server.knows(tuple)) homes_.erase(key_of(tuple));
    }
    using Kind = turn::Output::Lifetime::Kind;
    for (const auto& lifetime : out.lifetimes()) {
      if (lifetime.kind == Kind::deleted) relayed_.erase(key_of(lifetime.tuple));
      if (lifetime.kind == Kind::moved) {
        auto moved = relayed_.extract(key_of(lifetime.former));
        moved.key() = key_of(lifetime.tuple);
        relayed_.insert(std::move(moved));
      }
      outcome.lifetimes.push_back(lifetime);
    }
    outcome.refusals.insert(outcome.refusals.end(), out.refusals().begin(), out.refusals().end());
    for (const turn::Relay& relay : out.closing()) {
      CHECK(worker.ports.local_of(relay.id()) == relay.local());  // still open, whatever was opened since
      outcome.closing.push_back(relay.local());
    }
    std::vector<std::pair<turn::Output::ToRelay, Octets>> mail;
    for (const auto& m : out.to_relays()) {
      REQUIRE(lies_inside(m.payload));
      mail.emplace_back(m, Octets(m.payload.begin(), m.payload.end()));
    }
    out.clear();  // closes the relays, after all datagrams through them
    for (const auto& [m, payload] : mail) {
      Worker& other = *workers_[m.worker];
      CHECK(&other != &worker);
      call(outcome, [&] { other.server.on_relayed(m.relayed, m.from, payload, clock_.now(), out); });
      copy(other, out, payload, outcome);
    }
  }

  // Stores what a client learns from this answer.
  void learn(const RequestMaker& request, const Outcome& outcome) {
    if (outcome.to_clients.empty()) return;
    const stun::MessageView answer = outcome.answer();
    const Key key = key_of(request.client().tuple);
    if (const auto nonce = answer.find(stun::AttributeType::nonce))
      nonces_[key] = {std::string(as_text(*nonce)), clock_.now().wall};
    if (answer.message_class() != stun::Class::success) return;
    if (answer.method() == stun::Method::allocate) {
      relayed_[key].clear();
      for (Endpoint relayed : outcome.relayed()) {
        relayed.address = workers_[0]->ports.to_local(relayed.address);
        relayed_[key].push_back(relayed);
      }
    } else if (answer.method() == stun::Method::refresh && relayed_.contains(key)) {
      std::erase_if(relayed_[key], [&](const Endpoint& e) { return !host_.is_open(e); });
    }
  }

  // The open relays must be those that clients were told of. Each allocation and each reservation must hold
  // one place in the quota.
  void check_books(int line) const {
    INFO("step in line " << line);
    std::size_t told = 0;
    for (const auto& [key, addresses] : relayed_) {
      told += addresses.size();
      for (const Endpoint& relayed : addresses) CHECK(host_.is_open(relayed));
    }
    CHECK(host_.open_relays() == told);
    CHECK(relayed_.size() == allocations());
    CHECK(quota_.in_use() == allocations() + host_.reservations());
    for (const auto& worker : workers_) {
      const turn::Counters& c = worker->server.counters();
      CHECK(c.allocations_created - c.allocations_deleted == worker->server.allocations());
      CHECK((worker->server.next_deadline() != SteadyTime::max()) >= (worker->server.allocations() != 0));
    }
  }

  Setup setup_;
  ManualClock clock_;
  ScriptedRandom random_;
  crypto::Digester digester_;
  auth::CredentialStore credentials_;
  std::vector<std::unique_ptr<auth::CredentialStore>> reloaded_;
  turn::PeerPolicy::Params policy_params_;
  std::unique_ptr<turn::PeerPolicy> policy_;
  turn::Quota quota_;  // destroyed after the reservations, which hold places in it
  turn::Quota connection_quota_;
  turn::Quota address_quota_;
  turn::ByteBudgets server_budgets_;
  turn::ClientPolicy clients_;
  FakeRelayHost host_;
  FakePeers peers_;
  turn::Limiters limiters_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<Key, std::vector<Endpoint>> relayed_;  // in local form, by client
  std::map<Key, Nonce> nonces_;
  std::map<Key, unsigned> homes_;  // workers of clients whose allocation is on another worker
  std::uint32_t transactions_ = 0;
  int most_wakes_ = 0;
};

}  // namespace turnpike::test
