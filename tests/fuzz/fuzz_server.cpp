// Fuzzes a whole turn::Server: the input is a story of client messages (most of them with a correct
// signature, from several 5-tuples), peers' datagrams, ICMP, failing ports and time. After every step the
// counters and quotas must agree, and nothing may go where it must not.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "support/fake_relay_ports.hpp"
#include "support/manual_clock.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::fuzz {
namespace {

using namespace std::chrono_literals;
using namespace test;
using stun::AttributeType;
using stun::Method;
using turn::Output;

constexpr auth::Nonces::MasterKey kMaster{7, 8, 9};

const Client kClients[] = {client(1), client(2), client_on(Transport::tcp, 3), client_on(Transport::dtls, 4)};

constexpr std::string_view kPeers[] = {
    "5.6.7.8:1",          "5.6.7.8:2",
    "5.6.7.9:1",          "[2a00::1]:1",
    "[2a00::1]:2",        "5.6.7.8:0",
    "198.51.100.7:50000", "10.0.0.5:50001",
    "10.0.0.5:22",        "10.0.0.5:3478",
    "[2a00::77]:50000",   "10.0.0.1:1",
    "127.0.0.1:1",        "255.255.255.255:9",
    "0.0.0.0:1",          "[::1]:1",
    "[fe80::1]:1",        "[::ffff:127.0.0.1]:1",
};

// Data that is the same for all inputs.
struct Constants {
  crypto::Digester digester;
  auth::CredentialStore credentials{
      {.realm = std::string(kRealm),
       .users = {{"alice", "alice's password", {}, {}}, {"bob", "bob's password", {}, {}}},
       .secrets = {}},
      digester};
  auth::Nonces nonces{kMaster, 600s};
  turn::PeerPolicy policy{{{}, {address("10.0.0.5"), address("2a00::77")}, {endpoint("10.0.0.5:3478")}}};
};

FakeRelayHost::Params relays() {
  FakeRelayHost::Params params;
  params.v4 = address("10.0.0.5");
  params.v6 = address("2a00::77");
  params.advertise = {{address("10.0.0.5"), address("198.51.100.7")}};
  params.first_port = 50000;
  params.last_port = 50005;
  return params;
}

class World {
 public:
  // All inputs use one server, since it takes long to make one. It is as new after each input, because time
  // alone frees everything.
  void play(Input& input) {
    for (int steps = 0; steps < 64 && !input.empty(); ++steps) {
      step(input);
      check_books();
    }
    clock_.advance(2h);
    wake();
    check_books();
    expect(server_.allocations() == 0, "everything ends");
    expect(host_.open_relays() == 0 && host_.reservations() == 0, "and is given back");
    expect(server_.next_deadline() == SteadyTime::max(), "and nothing is waited for");
    host_.stop_failing();
    clock_ = {};
    random_ = ScriptedRandom();
    token_ = {};
    last_from_ = nullptr;
    transactions_ = 1;
  }

 private:
  void step(Input& input) {
    switch (input.pick(13)) {
      case 0:
      case 1:
      case 2: return client_requests(input);
      case 3: return client_sends_datagram(input);
      case 4: return client_indicates(input);
      case 5: return client_sends_on_channel(input);
      case 6: return peer_sends(input);
      case 7: return icmp_arrives(input);
      case 8: return time_passes(input);
      case 9:
        return clock_.advance(std::chrono::milliseconds(input.u16() * 100));  // and nobody wakes the server
      case 10: return ports_fail(input);
      case 11: return client_closes(input);
      default: return client_repeats(input);
    }
  }

  // --- Clients
  void client_requests(Input& input) {
    constexpr Method kMethods[] = {Method::allocate,     Method::refresh, Method::create_permission,
                                   Method::channel_bind, Method::binding, Method::connect};
    RequestMaker request(input.pick(kMethods));
    const Client& from = input.pick(kClients);
    request.from(from);
    const std::uint8_t how = input.u8();
    const std::size_t attributes = input.pick(6);
    if (request.type().method == Method::allocate && !(how & 0x80)) request.transport(stun::kProtocolUdp);
    for (std::size_t i = 0; i < attributes; ++i) add_attribute(request, input);
    if (how & 0x01) request.sha256();
    if (how & 0x02) request.as("bob");
    if (how & 0x04) request.fingerprint();
    if (how & 0x08) request.by_userhash();
    if ((how & 0x30) == 0x10) request.password("guess");
    if ((how & 0x30) == 0x20) request.unsigned_by_anybody();
    if ((how & 0x70) == 0x70) request.nonce("stale");
    stun::TransactionId id{};
    store_u32(&id[0], (how & 0x40) ? 1 : ++transactions_);
    const auth::NonceBinding binding{from.tuple.client, from.tuple.transport,
                                     constants_.credentials.algorithms(),
                                     constants_.credentials.offers_anonymity()};
    last_from_ = &from;
    last_ = request.build(constants_.digester,
                          constants_.nonces.mint(constants_.digester, binding, clock_.now().wall), id);
    deliver(from, last_);
  }

  void add_attribute(RequestMaker& request, Input& input) {
    switch (input.pick(14)) {
      case 0: request.peer(input.pick(kPeers)); return;
      case 1: request.channel(static_cast<std::uint16_t>(0x4000 + input.pick(4))); return;
      case 2: request.lifetime(std::chrono::seconds(input.u16())); return;
      case 3: request.lifetime(0s); return;
      case 4: request.even_port(input.pick(2) != 0); return;
      case 5: request.claiming(token_); return;
      case 6: request.family(input.u8()); return;
      case 7: request.additional_family(Family::ipv6); return;
      case 8: request.additional_family(input.u8()); return;
      case 9: request.transport(input.u8()); return;
      case 10: request.dont_fragment(); return;
      case 11: request.channel(input.u16()); return;
      case 12: return add_discovery(request, input);
      default: {
        const AttributeType type{input.u16()};
        request.raw(type, input.text(input.pick(32)));
      }
    }
  }

  // RFC 5780.
  static void add_discovery(RequestMaker& request, Input& input) {
    const std::uint16_t value = input.u16();
    request.with([kind = value % 3, value](auto& b) {
      if (kind == 0) b.add_change_request({.ip = (value & 0x100) != 0, .port = (value & 0x200) != 0});
      if (kind == 1) b.add_response_port(value);
      if (kind == 2) b.add_padding(value % 4096);
    });
  }

  void client_sends_datagram(Input& input) {
    const Client& from = input.pick(kClients);
    const Bytes octets = input.take(input.u8());
    Octets datagram(octets.begin(), octets.end());
    deliver(from, datagram);
    datagram.resize(std::max(datagram.size() / 4 * 4, stun::kHeaderSize));
    datagram[0] &= 0x3F;
    store_u16(&datagram[2], static_cast<std::uint16_t>(datagram.size() - stun::kHeaderSize));
    store_u32(&datagram[4], stun::kMagicCookie);
    deliver(from, datagram);
  }

  void client_indicates(Input& input) {
    const std::string_view peer = input.pick(kPeers);
    const std::size_t size = input.pick(64);
    RequestMaker request = send(peer, input.text(size));
    if (input.u8() & 1) request.dont_fragment();
    deliver(input.pick(kClients), request.build(constants_.digester, "", {}));
  }

  void client_sends_on_channel(Input& input) {
    const Client& from = input.pick(kClients);
    const auto number = static_cast<std::uint16_t>(0x4000 + input.pick(4));
    deliver(from, channel_data(number, input.text(input.pick(64))));
  }

  void client_repeats(Input& input) {
    if (last_from_) deliver(input.pick(4) == 0 ? input.pick(kClients) : *last_from_, Octets(last_));
  }

  void deliver(const Client& from, const Octets& message) {
    Output out;
    const turn::Counters before = server_.counters();
    server_.on_client(from.tuple, message, clock_.now(), out);
    expect(out.to_clients().size() + out.to_peers().size() <= 1, "a message has one consequence");
    const turn::Counters& after = server_.counters();
    const std::uint64_t passed_on = after.relay_to_relay - before.relay_to_relay;
    expect(passed_on <= 1 && (passed_on == 0 || out.to_peers().empty()), "one way is taken");
    for (const auto& sent : out.to_clients()) {
      if (passed_on == 1) continue;  // as a datagram of a peer
      expect(answers(sent, from, message, out) && sent.payload.empty(), "an answer goes to who asked");
    }
    expect(out.to_relays().empty(), "there is one worker");
    expect(after.to_peer - before.to_peer == out.to_peers().size() + passed_on,
           "what goes to peers is counted");
    expect(after.requests - before.requests + passed_on >= out.to_clients().size(),
           "only requests are answered");
    take(out, message);
  }

  // Only NAT discovery answers from another address or port, and then the answer is not longer than such an
  // answer has to be, or than its request.
  static bool answers(const Output::ToClient& sent, const Client& from, const Octets& message,
                      const Output& out) {
    if (sent.tuple == from.tuple && from.tuple.transport != Transport::udp) return true;
    constexpr std::size_t kWithoutPadding = 80;
    const std::size_t size = out.head(sent).size();
    const auto view = stun::MessageView::parse(out.head(sent));
    const bool success = view && view->type() == stun::MessageType{Method::binding, stun::Class::success};
    if (success && size > std::max(message.size(), kWithoutPadding)) return false;
    if (sent.tuple == from.tuple) return true;
    const Endpoint& by = sent.tuple.server;
    return success && sent.tuple.client.address == from.tuple.client.address && sent.tuple.client.port != 0 &&
           sent.tuple.transport == Transport::udp && view->has(AttributeType::response_origin) &&
           (by.address == address("192.0.2.1") || by.address == address("192.0.2.2")) &&
           (by.port == 3478 || by.port == 3479);
  }

  void client_closes(Input& input) {
    const Client& from = input.pick(kClients);
    Output out;
    server_.on_client_closed(from.tuple, clock_.now(), out);
    expect(out.to_clients().empty() && out.to_peers().empty(), "nobody is told");
    take(out, {});
  }

  // --- Peers
  void peer_sends(Input& input) {
    if (relayed_.empty()) return;
    const Endpoint from = endpoint(input.pick(kPeers));
    const turn::RelayId relay = pick_relay(input);
    const Bytes octets = input.take(input.pick(64));
    const Octets datagram(octets.begin(), octets.end());
    Output out;
    server_.on_peer(relay, from, datagram, clock_.now(), out);
    expect(out.to_clients().size() <= 1 && out.to_peers().empty(), "a peer's datagram goes to one client");
    for (const auto& sent : out.to_clients()) {
      expect(same(sent.payload, datagram), "as it is");
      check_peer(from);
    }
    take(out, datagram);
  }

  void icmp_arrives(Input& input) {
    if (relayed_.empty()) return;
    const Endpoint from = endpoint(input.pick(kPeers));
    const turn::RelayId relay = pick_relay(input);
    const stun::Icmp icmp{static_cast<std::uint8_t>(input.u8() & 0x7F),
                          static_cast<std::uint16_t>(input.u8()), input.u16()};
    Output out;
    server_.on_icmp(relay, from, icmp, clock_.now(), out);
    expect(out.to_clients().size() <= 1 && out.to_peers().empty(), "an ICMP error goes to one client");
    take(out, {});
  }

  // Returns a number that was used before, or one that never was.
  turn::RelayId pick_relay(Input& input) {
    return static_cast<turn::RelayId>(input.pick(host_.params().last_port - 49990));
  }

  // --- Time and failures
  void time_passes(Input& input) {
    clock_.advance(std::chrono::milliseconds(input.u16() * 20));
    wake();
  }

  void wake() {
    Output out;
    server_.on_timeout(clock_.now(), out);
    expect(server_.next_deadline() > clock_.now().steady, "what was due is done");
    expect(out.to_clients().empty() && out.to_peers().empty(), "time alone sends nothing");
    take(out, {});
  }

  void ports_fail(Input& input) {
    constexpr turn::RelayError kErrors[] = {turn::RelayError::no_address, turn::RelayError::no_port,
                                            turn::RelayError::no_reservation};
    const auto call = static_cast<unsigned>(1 + input.pick(2));
    host_.fail_call(call, input.pick(kErrors));
  }

  // --- What must hold
  void take(const Output& out, Bytes input) {
    for (const auto& lifetime : out.lifetimes()) note(lifetime);
    for (const auto& sent : out.to_clients()) {
      expect(
          std::ranges::any_of(
              kClients, [&](const Client& c) { return c.tuple.client.address == sent.tuple.client.address; }),
          "the client is known");
      expect(sent.payload.empty() || lies_inside(sent.payload, input), "a payload lies in what came in");
      check_message(out, sent);
    }
    for (const auto& sent : out.to_peers()) {
      expect(sent.payload.empty() || lies_inside(sent.payload, input), "a payload lies in what came in");
      const auto local = ports_.local_of(sent.relay);
      expect(local && local->family() == sent.peer.family(),
             "a peer is reached from an open relay of its family");
      expect(sent.peer.port != 0 && !constants_.policy.is_listener(sent.peer),
             "no port 0, none of our listeners");
      check_peer(sent.peer);
    }
  }

  void check_peer(const Endpoint& peer) {
    const turn::Reach reach = constants_.policy.judge(peer.address);
    expect(reach != turn::Reach::denied, "the peer is not denied");
    expect(turn::opens_all_ports(reach) || host_.is_open(peer), "of this machine only live relays");
  }

  void check_message(const Output& out, const Output::ToClient& sent) {
    Octets message(out.head(sent).begin(), out.head(sent).end());
    message.insert(message.end(), sent.payload.begin(), sent.payload.end());
    message.resize(message.size() + sent.padding);
    const bool stream = sent.tuple.transport == Transport::tcp || sent.tuple.transport == Transport::tls;
    if (stun::looks_like_channel_data(message)) {
      const auto data = stun::ChannelData::parse(message);
      expect(data && same(data->payload, sent.payload), "ChannelData can be read");
      expect(stream ? message.size() % 4 == 0 : sent.padding == 0, "padding is for streams");
      return;
    }
    const auto view = stun::MessageView::parse(message);
    expect(view.has_value(), "an answer can be read");
    expect(view->message_class() != stun::Class::request, "a server asks nothing");
    if (const auto token = view->find(AttributeType::reservation_token))
      token_ = stun::decode_reservation_token(*token).value();
    if (view->type() != stun::MessageType{Method::allocate, stun::Class::success}) return;
    expect(view->has_integrity(), "a success is signed");
    expect(view->has(AttributeType::xor_relayed_address), "a success has a relayed address");
  }

  void note(const Output::Lifetime& lifetime) {
    using Kind = Output::Lifetime::Kind;
    if (lifetime.kind == Kind::deleted) relayed_.erase(lifetime.relayed);
    if (lifetime.kind != Kind::created) return;
    expect(relayed_.insert(lifetime.relayed).second, "a relayed address is one client's");
    expect(is_open(lifetime.relayed), "and open");
  }

  bool is_open(const Endpoint& told) const {
    return host_.is_open({ports_.to_local(told.address), told.port});
  }

  void check_books() {
    std::erase_if(relayed_, [&](const Endpoint& told) { return !is_open(told); });
    const std::size_t allocations = server_.allocations();
    expect(quota_.in_use() == allocations + host_.reservations(),
           "each allocation and each reservation has one place in the quota");
    expect(quota_.in_use() <= 4, "there are no more than the quota allows");
    expect(host_.open_relays() >= allocations && host_.open_relays() <= 2 * allocations,
           "one or two relays each");
    const turn::Counters& c = server_.counters();
    expect(c.allocations_created - c.allocations_deleted == allocations, "what came and did not go is there");
    expect(allocations == 0 || server_.next_deadline() < SteadyTime::max(), "an allocation has an end");
    if (allocations == 0 && host_.open_relays() != 0) expect(false, "nothing is left open");
  }

  Constants constants_;
  ManualClock clock_;
  ScriptedRandom random_;
  turn::Quota quota_{4, 3, HashKey{1, 0}};  // goes after the reservations, which hold places in it
  FakeRelayHost host_{relays()};
  FakeRelayPorts ports_{host_};
  turn::Quota connection_quota_{4, 3, HashKey{2, 0}};
  turn::Limits limits_{.counts_shared_names = true,
                       .permissions_per_allocation = 3,
                       .channels_per_allocation = 2,
                       .unauthenticated_per_second = 0,
                       .bindings_per_second = 0,
                       .failures_per_second = 0,
                       .allocation_age = 1h};
  turn::Limiters limiters_{limits_, HashKey{3, 0}};
  turn::AlternateParams alternates_{{{Transport::tcp, endpoint("198.51.100.8:3478"), "b.example.org"}}};
  turn::Server server_{{.settings = {.credentials = &constants_.credentials,
                                     .policy = &constants_.policy,
                                     .alternates = &alternates_,
                                     .limits = limits_,
                                     .nonce_lifetime = 600s},
                        .ports = ports_,
                        .quota = quota_,
                        .connection_quota = connection_quota_,
                        .limiters = limiters_,
                        .random = random_,
                        .nonce_key = kMaster,
                        .nat_discoveries = {turn::NatDiscovery({.primary = endpoint("192.0.2.1:3478"),
                                                                .alternate = endpoint("192.0.2.2:3479"),
                                                                .listeners = {{{0, 7}, {8, 9}}}})}}};

  std::set<Endpoint> relayed_;
  stun::ReservationToken token_{};
  const Client* last_from_ = nullptr;
  Octets last_;
  std::uint32_t transactions_ = 1;
};

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static turnpike::fuzz::World world;
  turnpike::fuzz::Input input({data, size});
  world.play(input);
  return 0;
}
