// NAT behaviour discovery (RFC 5780): which of our addresses answers, and to whom.
#include <catch2/catch.hpp>

#include "support/rfc_vectors.hpp"
#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;
using stun::ChangeRequest;

// A1:P1, A1:P2, A2:P1 and A2:P2 are the listeners 0 and 2 to 4; 1 is another one.
const NatDiscovery kNamed({.primary = endpoint("192.0.2.1:3478"),
                           .alternate = endpoint("192.0.2.2:3479"),
                           .listeners = {{{0, 2}, {3, 4}}}});
// 0.0.0.0:3478 and 0.0.0.0:3479
const NatDiscovery kWildcard({.primary = endpoint("192.0.2.1:3478"),
                              .alternate = endpoint("192.0.2.2:3479"),
                              .listeners = {{{0, 1}, {0, 1}}},
                              .wildcard = true});
const NatDiscovery kTcp({.transport = Transport::tcp,
                         .primary = endpoint("192.0.2.1:3478"),
                         .alternate = endpoint("192.0.2.2:3479")});

Setup discovering(const NatDiscovery& sockets = kNamed) {
  Setup setup;
  setup.nat_discoveries = {sockets};
  return setup;
}

// Returns a client that has sent to `server`, which is the listener with this number.
Client at(std::string_view server, std::uint32_t listener) {
  Client c = client(1);
  c.tuple.server = endpoint(server);
  c.tuple.path = path_of_listener(listener);
  return c;
}

RequestMaker changing(bool ip, bool port) {
  return binding().with([=](auto& b) { b.add_change_request({.ip = ip, .port = port}); });
}
RequestMaker padded(std::size_t size) {
  return binding().with([=](auto& b) { b.add_padding(size); });
}
RequestMaker to_port(std::uint16_t port) {
  return binding().with([=](auto& b) { b.add_response_port(port); });
}

std::string address_in(const Outcome& outcome, AttributeType type) {
  const auto value = outcome.find(type);
  return value ? stun::decode_address(*value).value().to_string() : "none";
}

TEST_CASE("RFC 5780 table 1: where an answer comes from and what the other address is", "[turn]") {
  struct Case {
    Client client;
    bool ip, port;
    std::string_view from;
    std::uint32_t listener;
    std::string_view other;
  };
  const Client a1p1 = at("192.0.2.1:3478", 0), a1p2 = at("192.0.2.1:3479", 2);
  const Client a2p1 = at("192.0.2.2:3478", 3), a2p2 = at("192.0.2.2:3479", 4);
  const Case cases[] = {
      {a1p1, false, false, "192.0.2.1:3478", 0, "192.0.2.2:3479"},
      {a1p1, true, false, "192.0.2.2:3478", 3, "192.0.2.2:3479"},
      {a1p1, false, true, "192.0.2.1:3479", 2, "192.0.2.2:3479"},
      {a1p1, true, true, "192.0.2.2:3479", 4, "192.0.2.2:3479"},
      {a1p2, false, false, "192.0.2.1:3479", 2, "192.0.2.2:3478"},
      {a1p2, true, false, "192.0.2.2:3479", 4, "192.0.2.2:3478"},
      {a1p2, false, true, "192.0.2.1:3478", 0, "192.0.2.2:3478"},
      {a1p2, true, true, "192.0.2.2:3478", 3, "192.0.2.2:3478"},
      {a2p1, false, false, "192.0.2.2:3478", 3, "192.0.2.1:3479"},
      {a2p1, true, false, "192.0.2.1:3478", 0, "192.0.2.1:3479"},
      {a2p1, false, true, "192.0.2.2:3479", 4, "192.0.2.1:3479"},
      {a2p1, true, true, "192.0.2.1:3479", 2, "192.0.2.1:3479"},
      {a2p2, false, false, "192.0.2.2:3479", 4, "192.0.2.1:3478"},
      {a2p2, true, false, "192.0.2.1:3479", 2, "192.0.2.1:3478"},
      {a2p2, false, true, "192.0.2.2:3478", 3, "192.0.2.1:3478"},
      {a2p2, true, true, "192.0.2.1:3478", 0, "192.0.2.1:3478"},
  };
  Scenario s(discovering());
  for (const Case& c : cases) {
    CAPTURE(c.client.tuple.server.to_string(), c.ip, c.port);
    FiveTuple by = c.client.tuple;
    by.server = endpoint(c.from);
    by.path = path_of_listener(c.listener);
    const Outcome outcome = s.client_sends(changing(c.ip, c.port).from(c.client));
    outcome.expect_success_by(by);
    CHECK(address_in(outcome, AttributeType::response_origin) == c.from);
    CHECK(address_in(outcome, AttributeType::other_address) == c.other);
    CHECK(address_in(outcome, AttributeType::mapped_address) == "198.51.100.1:40001");
    CHECK(outcome.mapped_text() == "198.51.100.1:40001");
    // A request without any attribute of RFC 5780 gets these addresses too.
    const Outcome plain = s.client_sends(binding().from(c.client));
    plain.expect_success();
    CHECK(address_in(plain, AttributeType::response_origin) == c.client.tuple.server.to_string());
    CHECK(address_in(plain, AttributeType::other_address) == c.other);
  }
}

TEST_CASE("behind a wildcard the first address is the one that the client came to", "[turn]") {
  Scenario s(discovering(kWildcard));
  const auto origin_of = [&](const Client& c, bool ip, bool port) {
    const Outcome outcome = s.client_sends(changing(ip, port).from(c));
    REQUIRE(outcome.to_clients.size() == 1);
    const FiveTuple& by = outcome.to_clients[0].tuple;
    CHECK(address_in(outcome, AttributeType::response_origin) == by.server.to_string());
    return by.server.to_string() + " of " + std::to_string(static_cast<std::uint64_t>(by.path)) + ", else " +
           address_in(outcome, AttributeType::other_address);
  };
  CHECK(origin_of(at("10.0.0.1:3478", 0), false, true) == "10.0.0.1:3479 of 1, else 192.0.2.2:3479");
  CHECK(origin_of(at("10.0.0.1:3478", 0), true, true) == "192.0.2.2:3479 of 1, else 192.0.2.2:3479");
  CHECK(origin_of(at("10.0.0.1:3479", 1), true, false) == "192.0.2.2:3479 of 1, else 192.0.2.2:3478");
  CHECK(origin_of(at("192.0.2.2:3478", 0), true, true) == "192.0.2.1:3479 of 1, else 192.0.2.1:3479");
  CHECK(origin_of(at("192.0.2.2:3479", 1), false, true) == "192.0.2.2:3478 of 0, else 192.0.2.1:3478");
}

TEST_CASE("without discovery, the attributes of RFC 5780 are unknown", "[turn]") {
  Scenario off;
  Scenario on(discovering());
  Client six = at("[2001:db8::1]:3478", 9);  // another family's listener
  six.tuple.client = endpoint("[2001:db8::77]:5000");
  const auto refuses = [](Scenario& s, const Client& c) {
    for (RequestMaker request :
         {changing(true, true), changing(true, false), changing(false, true), padded(4), to_port(4000),
          binding().raw(AttributeType::change_request, "abc")}) {
      s.client_sends(request.from(c)).expect_error(420);
    }
    // Stuntman's client always adds a CHANGE-REQUEST. One without a flag asks for nothing.
    for (RequestMaker request : {binding(), changing(false, false)}) {
      const Outcome plain = s.client_sends(request.from(c));
      plain.expect_success();
      CHECK_FALSE(plain.has(AttributeType::other_address));
      CHECK_FALSE(plain.has(AttributeType::response_origin));
      CHECK_FALSE(plain.has(AttributeType::mapped_address));
    }
  };
  refuses(off, client(1));
  refuses(on, six);
  refuses(on, at("192.0.2.1:9999", 1));
  for (const Transport transport : {Transport::tcp, Transport::tls, Transport::dtls}) {
    // The number of a connection is not the number of a listener.
    Client c = client_on(transport);
    c.tuple.path = path_of_listener(2);
    refuses(on, c);
  }
  for (const char flags : {'\0', '\6'}) {
    const std::string value{'\0', '\0', '\0', flags};
    on.client_sends(allocate().raw(AttributeType::change_request, value)).expect_error(420);
  }
}

TEST_CASE("by TCP, a client is told the other address but cannot ask for another source", "[turn]") {
  Setup setup = discovering();
  setup.nat_discoveries.push_back(kTcp);
  Scenario s(setup);
  struct Case {
    std::string_view at, other;
  };
  for (const Case& c : {Case{"192.0.2.1:3478", "192.0.2.2:3479"}, Case{"192.0.2.1:3479", "192.0.2.2:3478"},
                        Case{"192.0.2.2:3478", "192.0.2.1:3479"}, Case{"192.0.2.2:3479", "192.0.2.1:3478"}}) {
    Client tcp = client_on(Transport::tcp);
    tcp.tuple.server = endpoint(c.at);
    const Outcome outcome = s.client_sends(binding().from(tcp));
    outcome.expect_success();
    CHECK(address_in(outcome, AttributeType::response_origin) == c.at);
    CHECK(address_in(outcome, AttributeType::other_address) == c.other);
    CHECK(address_in(outcome, AttributeType::mapped_address) == outcome.mapped_text());
    for (RequestMaker request : {changing(true, true), padded(4), to_port(4000)})
      s.client_sends(request.from(tcp)).expect_error(420);
    const Outcome unchanged = s.client_sends(changing(false, false).from(tcp));
    unchanged.expect_success();
    CHECK(address_in(unchanged, AttributeType::response_origin) == c.at);
    if (c.at == "192.0.2.1:3478") {
      s.client_sends(allocate().from(tcp)).expect_success();
    } else {
      s.client_sends(allocate().unsigned_by_anybody().from(tcp)).expect_error(403);
    }
  }
}

TEST_CASE("a malformed or contradictory request gets a 400 from the address that it was sent to", "[turn]") {
  Scenario s(discovering());
  s.client_sends(binding().raw(AttributeType::change_request, "abc")).expect_error(400);
  s.client_sends(binding().raw(AttributeType::response_port, "abc")).expect_error(400);
  s.client_sends(to_port(0)).expect_error(400);
  s.client_sends(padded(600).with([](auto& b) { b.add_response_port(4000); })).expect_error(400);
  s.client_sends(to_port(4000).with([](auto& b) { b.add_padding(0); })).expect_error(400);
  s.client_sends(changing(true, true).with([](auto& b) { b.add_response_port(0); })).expect_error(400);
  s.client_sends(changing(true, true).raw(AttributeType{0x7FFF}, "")).expect_error(420);
}

TEST_CASE("RESPONSE-PORT sends the answer to another port, with no more octets than without it", "[turn]") {
  Scenario s(discovering());
  FiveTuple by = client(1).tuple;
  by.client.port = 4000;
  const Outcome there = s.client_sends(to_port(4000));
  there.expect_success_by(by);
  CHECK(there.mapped_text() == "198.51.100.1:40001");
  CHECK(there.to_clients[0].message.size() == s.client_sends(binding()).to_clients[0].message.size());
  by.server = endpoint("192.0.2.2:3479");
  by.path = path_of_listener(4);
  s.client_sends(changing(true, true).with([](auto& b) { b.add_response_port(4000); })).expect_success_by(by);
}

TEST_CASE("PADDING adds no more octets than the request has, and may cause fragments", "[turn]") {
  Scenario s(discovering());
  for (const bool fingerprint : {false, true}) {
    for (const std::size_t size : {0u, 1u, 40u, 100u, 600u, 1499u, 1500u, 9000u, 60000u}) {
      CAPTURE(fingerprint, size);
      RequestMaker request = padded(size);
      if (fingerprint) request.fingerprint();
      const Outcome outcome = s.client_sends(request);
      outcome.expect_success();
      REQUIRE(outcome.has(AttributeType::padding));
      const std::size_t asked = stun::kHeaderSize + 4 + stun::padded(size) + (fingerprint ? 8 : 0);
      const std::size_t smallest = stun::kHeaderSize + 4 * 12 + 4 + (fingerprint ? 8 : 0);
      const std::size_t answered = outcome.to_clients[0].message.size();
      CHECK(answered <= std::max(asked, smallest));
      if (size >= 1500) CHECK(answered > 1500);
      CHECK(answered <= smallest + 1500);
    }
  }
  // The same holds when the answer comes from the address that the request asks for.
  FiveTuple by = client(1).tuple;
  by.server = endpoint("192.0.2.1:3479");
  by.path = path_of_listener(2);
  s.client_sends(changing(false, true).with([](auto& b) { b.add_padding(1500); })).expect_success_by(by);
}

TEST_CASE("discovery's answers count as answers to strangers", "[turn]") {
  Setup setup = discovering();
  setup.limits.bindings_per_second = 2;
  Scenario s(setup);
  for (int i = 0; i < 4; ++i) CHECK(s.client_sends(to_port(4000)).to_clients.size() == 1);
  std::size_t answers = 0;  // of 600, a sixteenth at most but for the first few
  for (int i = 0; i < 200; ++i) {
    answers += s.client_sends(to_port(4000)).to_clients.size();
    answers += s.client_sends(changing(true, true)).to_clients.size();
    answers += s.client_sends(padded(1500)).to_clients.size();
  }
  CHECK(answers < 75);
  CHECK(s.counters().bindings_withheld == 600 - answers);
  CHECK(s.counters().answers_withheld == 0);
}

TEST_CASE("an answer to a stranger stays small with discovery", "[turn]") {
  Scenario s(discovering());
  CHECK(s.client_sends(binding()).to_clients.at(0).message.size() <= 68);
  CHECK(s.client_sends(changing(true, true)).to_clients.at(0).message.size() <= 68);
}

TEST_CASE("behind a 1:1 NAT clients are told the public addresses, and answers leave from the local ones",
          "[turn]") {
  Setup setup = discovering();
  setup.relays.advertise = {{address("192.0.2.1"), address("8.8.4.1")},
                            {address("192.0.2.2"), address("8.8.4.2")}};
  Scenario s(setup);
  FiveTuple by = client(1).tuple;
  by.server = endpoint("192.0.2.2:3478");
  by.path = path_of_listener(3);
  const Outcome outcome = s.client_sends(changing(true, false));
  outcome.expect_success_by(by);
  CHECK(address_in(outcome, AttributeType::response_origin) == "8.8.4.2:3478");
  CHECK(address_in(outcome, AttributeType::other_address) == "8.8.4.2:3479");
}

TEST_CASE("what was opened for discovery serves no TURN", "[turn]") {
  Scenario s(discovering());
  const Client additional[] = {at("192.0.2.1:3479", 2), at("192.0.2.2:3478", 3), at("192.0.2.2:3479", 4)};
  for (const Client& c : additional) {
    s.client_sends(allocate().unsigned_by_anybody().from(c)).expect_error(403).expect_no_event();
    s.client_sends(refresh().unsigned_by_anybody().from(c)).expect_error(403);
    s.client_sends(channel_data(0x4000, "x"), c).expect_silence();
    s.client_sends(send("5.6.7.8:9", "x").from(c)).expect_silence();
  }
  s.client_sends(allocate()).expect_success();
  s.client_sends(allocate().from(at("192.0.2.1:9999", 1))).expect_success();
  // A wildcard listener of the operator is not for discovery alone, whichever address the client uses.
  Scenario wild(discovering(kWildcard));
  wild.client_sends(allocate().from(at("192.0.2.2:3478", 0))).expect_success();
  wild.client_sends(allocate().unsigned_by_anybody().from(at("192.0.2.1:3479", 1))).expect_error(403);
}

// --- RFC 3489

// Its transaction id has 16 octets, and the answer repeats all of them.
constexpr std::string_view kOldId = "deadbeef0102030405060708090a0b0c";
constexpr std::string_view kOldMapped = "0001000800019c41c6336401";  // MAPPED-ADDRESS

// Returns a message of RFC 3489 with these attributes.
Octets old_message(Bytes attributes = {}, std::uint16_t type = 0x0001) {
  Octets message(4);
  store_u16(&message[0], type);
  store_u16(&message[2], static_cast<std::uint16_t>(attributes.size()));
  const Bytes id = "deadbeef 01020304 05060708 090a0b0c"_hex;
  message.insert(message.end(), id.begin(), id.end());
  message.insert(message.end(), attributes.begin(), attributes.end());
  return message;
}

// Returns the answer in hexadecimal, or "nothing".
std::string answer_to(Scenario& s, const Octets& message, const Client& from = client(1)) {
  const Outcome outcome = s.client_sends(message, from);
  return outcome.to_clients.empty() ? "nothing" : to_hex(outcome.to_clients.at(0).message);
}

Setup answering_old() {
  Setup setup;
  setup.rfc3489 = true;
  return setup;
}

TEST_CASE("a Binding request of RFC 3489 is answered when the configuration says so", "[turn]") {
  const Octets plain = old_message();
  Scenario off;
  CHECK(answer_to(off, plain) == "nothing");
  CHECK(off.counters().client_malformed == 1);

  Scenario on(answering_old());
  const std::string mapped = std::string("0101000c").append(kOldId).append(kOldMapped);
  CHECK(answer_to(on, plain) == mapped);
  CHECK(on.counters().client_malformed == 0);
  CHECK(on.counters().requests == 1);
  // Stuntman's and Vovida's clients send a CHANGE-REQUEST without a flag.
  CHECK(answer_to(on, old_message("00030004 00000000"_hex)) == mapped);
  // Asterisk sends USERNAME in some requests.
  CHECK(answer_to(on, old_message("00060008 6162636465666768"_hex)) == mapped);
  // There is no other address to answer from.
  CHECK(answer_to(on, old_message("00030004 00000006"_hex)) == "nothing");
  // RESPONSE-ADDRESS would send the answer to somebody else.
  CHECK(answer_to(on, old_message("00020008 0001 0050 08080808"_hex)).starts_with("0111"));
  // All else is dropped as before.
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{0x0003, 0x0002, 0x0101}) {
    CAPTURE(type);
    CHECK(answer_to(on, old_message({}, type)) == "nothing");
  }
  Octets longer = plain;
  longer[3] = 4;
  CHECK(answer_to(on, longer) == "nothing");
  CHECK(on.counters().client_malformed == 4);
  on.client_sends(binding()).expect_success();
}

TEST_CASE("RFC 3489: NAT discovery has the attributes of that time", "[turn]") {
  Setup setup = answering_old();
  setup.nat_discoveries = {kNamed};
  Scenario s(setup);
  const Client c = at("192.0.2.1:3478", 0);
  const auto answer = [&](const std::string& source) {
    const std::string addresses = "000400080001" + source +    // SOURCE-ADDRESS
                                  "0005000800010d97c0000202";  // CHANGED-ADDRESS 192.0.2.2:3479
    return std::string("01010024").append(kOldId).append(kOldMapped) + addresses;
  };
  CHECK(answer_to(s, old_message(), c) == answer("0d96c0000201"));
  const Outcome changed = s.client_sends(old_message("00030004 00000006"_hex), c);
  REQUIRE(changed.to_clients.size() == 1);
  CHECK(changed.to_clients[0].tuple.server.to_string() == "192.0.2.2:3479");
  CHECK(changed.to_clients[0].tuple.path == path_of_listener(4));
  CHECK(to_hex(changed.to_clients[0].message) == answer("0d97c0000202"));
}

TEST_CASE("RFC 3489: the answers are limited as all answers to Binding are", "[turn]") {
  Setup setup = answering_old();
  setup.limits.bindings_per_second = 1;
  Scenario s(setup);
  int answered = 0;
  for (int i = 0; i < 100; ++i) answered += answer_to(s, old_message()) != "nothing" ? 1 : 0;
  CHECK(answered < 30);
  CHECK(s.counters().bindings_withheld == static_cast<std::uint64_t>(100 - answered));
}

}  // namespace
}  // namespace turnpike::turn
