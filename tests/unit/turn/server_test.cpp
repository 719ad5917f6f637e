// Tests what comes before TURN: parsing, Binding, authentication, and what strangers can cause.
#include "turnpike/turn/server.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace turnpike::turn {
namespace {

using namespace test;
using stun::AttributeType;
using stun::Class;
using stun::Method;
using Kind = Output::Lifetime::Kind;

Setup with_secrets(std::vector<std::string> secrets) {
  Setup setup;
  setup.auth.secrets = std::move(secrets);
  return setup;
}

RequestMaker rest_request(RequestMaker request, std::string_view secret, std::string_view user,
                          WallTime expires) {
  return with_rest_name(request, secret, user, expires);
}

std::vector<std::uint16_t> unknown_types(const Outcome& outcome) {
  ByteReader reader(outcome.find(AttributeType::unknown_attributes).value());
  std::vector<std::uint16_t> types;
  while (!reader.at_end()) types.push_back(reader.u16());
  return types;
}

TEST_CASE("Binding tells a client its address", "[turn]") {
  Scenario s;
  CHECK(s.client_sends(binding()).expect_success().mapped_text() == "198.51.100.1:40001");
  CHECK(s.client_sends(binding().fingerprint()).expect_success().mapped_text() == "198.51.100.1:40001");
  Client six = client(1);
  six.tuple.client = endpoint("[2001:db8::77]:5000");
  six.tuple.server = endpoint("[2001:db8::1]:3478");
  CHECK(s.client_sends(binding().from(six)).expect_success().mapped_text() == "[2001:db8::77]:5000");
  for (const Transport transport : {Transport::tcp, Transport::tls, Transport::dtls})
    s.client_sends(binding().from(client_on(transport))).expect_success();
  // A Binding request needs no credentials, and they are not checked.
  s.client_sends(binding().raw(AttributeType::username, "alice")).expect_success();
  Outcome outcome = s.client_sends(request(Method::binding).nonce("x").password("guess"));
  REQUIRE(outcome.to_clients.size() == 1);
  CHECK(outcome.answer().message_class() == Class::success);
  outcome.signed_by_server(false).expect_no_event();
  CHECK(s.counters().requests == 8);
}

TEST_CASE("an answer to a stranger is small", "[turn]") {
  Scenario s;
  const auto size = [](const Outcome& outcome) { return outcome.to_clients.at(0).message.size(); };
  CHECK(size(s.client_sends(binding())) <= 32);
  CHECK(size(s.client_sends(allocate().unsigned_by_anybody())) <= 120);
  CHECK(size(s.client_sends(allocate().nonce("x"))) <= 120);
}

TEST_CASE("datagrams that are not messages get no answer", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  const Octets good = binding().build(s.digester(), "", {});
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    Octets octets = good;
    octets.at(at) = value;
    return octets;
  };
  Octets longer = good;
  longer.insert(longer.end(), {0, 0, 0, 0});
  Octets odd = changed(3, 1);
  odd.push_back(0);
  const Octets fingerprinted = binding().fingerprint().build(s.digester(), "", {});
  Octets wrong_fingerprint = fingerprinted;
  wrong_fingerprint.back() ^= 1;
  const std::pair<std::string, Octets> table[] = {
      {"nothing", {}},
      {"one octet", {0}},
      {"half a header", {good.begin(), good.begin() + 19}},
      {"a wrong cookie", changed(4, 0x22)},
      {"top bits 01 that are no channel", changed(0, 0x50)},
      {"top bits 10", changed(0, 0x80)},
      {"top bits 11", changed(0, 0xC0)},
      {"a length that promises more", changed(3, 4)},
      {"a length that promises less", longer},
      {"a length that is no multiple of four", odd},
      {"a wrong fingerprint", wrong_fingerprint},
      {"a fingerprint that is not last", binding()
                                             .fingerprint()
                                             .behind_integrity([](auto& b) { b.add_fingerprint(); })
                                             .build(s.digester(), "", {})},
      {"a success",
       RequestMaker(Method::binding, Class::success).unsigned_by_anybody().build(s.digester(), "", {})},
      {"an error",
       RequestMaker(Method::allocate, Class::error).unsigned_by_anybody().build(s.digester(), "", {})},
      {"a Binding indication", indication(Method::binding).build(s.digester(), "", {})},
      {"an Allocate indication", indication(Method::allocate).build(s.digester(), "", {})},
      {"a Data indication", indication(Method::data).peer("5.6.7.8:9").data("x").build(s.digester(), "", {})},
      {"a Send request", request(Method::send).unsigned_by_anybody().build(s.digester(), "", {})},
      {"a method that nobody knows",
       request(Method{0x7FF}).unsigned_by_anybody().build(s.digester(), "", {})},
      {"ChannelData with half a header", {0x40, 0x00, 0x00}},
      {"ChannelData that claims 35,510 octets and has 3", {0x40, 0x00, 0x8A, 0xB6, 1, 2, 3}},
      {"ChannelData on a channel that nobody bound", channel_data(0x4000, "x")},
      {"ChannelData on a reserved channel", channel_data(0x5000, "x")},
      {"ChannelData on channel 0x7FFF", channel_data(0x7FFF, "x")},
      {"a DTLS hello", {0x16, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}},
      {"RTP", {0x80, 0x60, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}},
  };
  for (const auto& [what, octets] : table) {
    CAPTURE(what);
    s.client_sends(octets).expect_silence().expect_no_event();
    s.client_sends(octets, client(9)).expect_silence().expect_no_event();
  }
  CHECK(s.allocations() == 1);
}

TEST_CASE("a keepalive is expected, and other indications are counted", "[turn]") {
  Scenario s;
  s.client_sends(indication(Method::binding)).expect_silence();
  CHECK(s.counters().client_unexpected == 0);
  s.client_sends(indication(Method::data).peer("5.6.7.8:9").data("x")).expect_silence();
  CHECK(s.counters().client_unexpected == 1);
}

TEST_CASE("unknown attributes cause a 420 with each of them, unless they may be ignored", "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  const auto type = [](std::uint16_t number) { return AttributeType{number}; };
  const Outcome refused = s.client_sends(refresh()
                                             .raw(type(0x7FFF), "abc")
                                             .raw(type(0x0002), "")
                                             .raw(type(0x8FFF), "ignored")
                                             .raw(type(0xFFFF), "")
                                             .raw(type(0x7FFF), "again")
                                             .raw(type(0x002B), "1234"));
  refused.expect_error(420);
  CHECK(unknown_types(refused) == std::vector<std::uint16_t>{0x7FFF, 0x0002, 0x002B});
  REQUIRE(refused.refusals.size() == 1);  // for the log
  CHECK(refused.refusals[0].error == stun::ErrorCode::unknown_attribute);
  const Outcome of_stranger = s.client_sends(binding().raw(type(0x0027), "\x0F\xA0"));
  CHECK(unknown_types(of_stranger.expect_error(420)) == std::vector<std::uint16_t>{0x0027});
  CHECK(of_stranger.refusals.empty());

  // A client that is not authenticated is first asked for its credentials.
  s.client_sends(refresh().raw(type(0x7FFF), "").unsigned_by_anybody()).expect_error(401);
  s.client_sends(refresh().raw(type(0x7FFF), "").password("guess")).expect_error(401);
  // This check also comes before the search for the allocation.
  s.client_sends(refresh().raw(type(0x7FFF), "").from(client(2))).expect_error(420);
  s.client_sends(allocate().raw(type(0x7FFF), "")).expect_error(420);
  s.client_sends(refresh().raw(type(0x8FFF), "")).expect_success();
  // An attribute after the integrity attribute does not exist.
  s.client_sends(refresh().behind_integrity([&](auto& b) { b.add(type(0x7FFF), ""); })).expect_success();

  s.client_sends(create_permission("5.6.7.8:0")).expect_success();
  s.client_sends(send("5.6.7.8:9", "hi").raw(type(0x7FFF), "")).expect_silence();
  s.client_sends(send("5.6.7.8:9", "hi").raw(type(0x8FFF), "")).expect_sent("5.6.7.8:9", "hi");
}

TEST_CASE("a request with many unknown attributes is answered", "[turn]") {
  Scenario s;
  RequestMaker many = binding();
  for (std::uint16_t i = 0; i < 5000; ++i)
    many.raw(AttributeType{static_cast<std::uint16_t>(0x1000 + i)}, "");
  CHECK(unknown_types(s.client_sends(many).expect_error(420)).size() >= 32);
}

TEST_CASE("a client without valid credentials gets a 401, 400 or 438", "[turn]") {
  Scenario s;
  for (const Method method :
       {Method::allocate, Method::refresh, Method::create_permission, Method::channel_bind}) {
    const RequestMaker plain = request(method);
    CAPTURE(static_cast<int>(method));
    const Outcome first = s.client_sends(RequestMaker(plain).unsigned_by_anybody()).expect_error(401);
    first.signed_by_server(false).expect_no_event();
    CHECK(as_text(first.find(AttributeType::realm).value()) == kRealm);
    CHECK(first.nonce().starts_with("obMatJos2AAAD"));
    CHECK(as_text(first.find(AttributeType::password_algorithms).value()) ==
          std::string_view("\0\2\0\0\0\1\0\0", 8));

    s.client_sends(RequestMaker(plain).without(AttributeType::nonce))
        .expect_error(400)
        .signed_by_server(false);
    s.client_sends(RequestMaker(plain).without(AttributeType::realm))
        .expect_error(400)
        .signed_by_server(false);
    s.client_sends(RequestMaker(plain).without(AttributeType::username))
        .expect_error(400)
        .signed_by_server(false);
    s.client_sends(RequestMaker(plain).sha256().listing({})).expect_error(400).signed_by_server(false);
    s.client_sends(RequestMaker(plain).nonce("old")).expect_error(438).signed_by_server(false);
    s.client_sends(RequestMaker(plain).password("guess")).expect_error(401).signed_by_server(false);
    s.client_sends(RequestMaker(plain).as("carol").sha256()).expect_error(401).signed_by_server(false);
  }
  s.expect_no_allocation();
}

TEST_CASE("a nonce expires, and the refusal brings the next one", "[turn]") {
  Scenario s;
  const std::string old = s.nonce_of(client(1));
  s.client_sends(allocate().nonce(old)).expect_success();
  s.advance(599s);
  s.client_sends(refresh().nonce(old)).expect_success();
  s.advance(2s);
  const Outcome stale = s.client_sends(refresh().nonce(old)).expect_error(438);
  CHECK(stale.has(AttributeType::password_algorithms));
  s.client_sends(refresh().nonce(stale.nonce())).expect_success();
  s.client_sends(refresh().nonce(stale.nonce()).from(client(2))).expect_error(438);
  s.set_wall(-1h);  // the wall clock jumps; lifetimes do not
  const Outcome again = s.client_sends(refresh().nonce(stale.nonce())).expect_error(438);
  s.client_sends(refresh().nonce(again.nonce())).expect_success();
}

TEST_CASE("an unknown user and a wrong password get the same octets", "[turn]") {
  for (const std::vector<std::string>& secrets :
       {std::vector<std::string>{}, {"north"}, {"north", "south"}}) {
    Scenario s(with_secrets(secrets));
    const std::string nonce = s.nonce_of(client(1));
    const auto answer = [&](RequestMaker request) {
      return s.client_sends(request.nonce(nonce).transaction(9)).expect_error(401).to_clients.at(0).message;
    };
    for (const bool sha256 : {false, true}) {
      CAPTURE(secrets.size(), sha256);
      const auto as = [&](std::string_view user) {
        RequestMaker request = allocate().as(user, "guess");
        return sha256 ? request.sha256() : request;
      };
      const Octets known = answer(as("alice"));
      CHECK(answer(as("carol")) == known);
      CHECK(answer(as("")) == known);
      CHECK(answer(as("1800000000:guest")) == known);
      CHECK(answer(as("1:guest")) == known);
      CHECK(answer(as("alice").by_userhash()) == known);
      CHECK(answer(as("carol").by_userhash()) == known);
      CHECK(answer(as("alice").realm("elsewhere")) == known);
    }
  }
}

TEST_CASE("every answer to SHA-256 carries MESSAGE-INTEGRITY-SHA256 alone", "[turn]") {
  Scenario s;  // Outcome looks at the attributes of each answer
  s.client_sends(refresh().sha256()).expect_error(437).signed_by_server();
  s.client_sends(allocate().sha256()).expect_success();
  s.client_sends(allocate().sha256().by_userhash().from(client(2))).expect_success();
  s.client_sends(allocate().sha256().both_integrities().from(client(3)).fingerprint()).expect_success();
  s.client_sends(allocate().choosing(stun::PasswordAlgorithm::md5).from(client(4))).expect_success();
  s.client_sends(create_permission("5.6.7.8:1").sha256()).expect_success();
  s.client_sends(create_permission("127.0.0.1:1").sha256()).expect_error(403);
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1").sha256()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:2").sha256()).expect_error(400).signed_by_server();
  s.client_sends(refresh(0s).sha256().raw(AttributeType{0x7000}, "")).expect_error(420);
  s.client_sends(refresh().as("bob").sha256()).expect_error(441);
  // A client may switch to the form of RFC 5389, and back.
  s.client_sends(refresh()).expect_success();
  s.client_sends(refresh(0s).sha256()).expect_success();
}

TEST_CASE("only Allocate asks whether a REST name has expired", "[turn]") {
  Scenario s(with_secrets({"north", "south"}));
  const WallTime expires = s.now().wall + 60s;
  const auto guest = [&](RequestMaker request) {
    return rest_request(std::move(request), "south", "guest", expires);
  };
  s.client_sends(guest(allocate())).expect_success();
  s.advance(60s);
  const Outcome late = s.client_sends(guest(allocate()).from(client(2)));
  late.expect_error(401);
  REQUIRE(late.refusals.size() == 1);
  CHECK(late.refusals[0].expired);
  CHECK(s.counters().expired_credentials == 1);
  s.client_sends(guest(refresh())).expect_success();
  s.client_sends(guest(create_permission("5.6.7.8:1"))).expect_success();
  s.client_sends(guest(channel_bind(0x4000, "5.6.7.8:1"))).expect_success();
  s.advance(500s);
  s.client_sends(guest(refresh())).expect_success();
  CHECK(s.allocations() == 1);
  s.client_sends(guest(refresh(0s))).expect_success();
  s.client_sends(guest(allocate())).expect_error(401);
}

TEST_CASE("without users and secrets there is STUN alone", "[turn]") {
  Setup setup;
  setup.auth.users.clear();
  Scenario s(setup);
  s.client_sends(binding()).expect_success();
  for (const Method method :
       {Method::allocate, Method::refresh, Method::create_permission, Method::channel_bind}) {
    s.client_sends(request(method).transport(17).unsigned_by_anybody()).expect_error(403);
    const Outcome guess = s.client_sends(request(method).transport(17).as("", "").nonce("x"));
    CHECK(stun::decode_error_code(guess.find(AttributeType::error_code).value())->code == 403);
    CHECK_FALSE(guess.answer().has_integrity());
  }
  s.expect_no_allocation();
}

// Beyond the limit only a part of the requests is answered, so the test sends many.
constexpr unsigned kOften = 400;

template <class Ask>
unsigned answered(unsigned times, Ask&& ask) {
  unsigned answers = 0;
  for (unsigned i = 0; i < times; ++i) answers += ask().to_clients.empty() ? 0 : 1;
  return answers;
}

TEST_CASE("answers to strangers are limited, and answers to clients are not", "[turn]") {
  Setup setup;
  setup.limits.unauthenticated_per_second = 5;
  Scenario s(setup);
  const std::string nonce = s.nonce_of(client(1));  // the first of ten
  for (int i = 0; i < 3; ++i) {
    s.client_sends(allocate().without(AttributeType::nonce)).expect_error(400);
    s.client_sends(allocate().unsigned_by_anybody()).expect_error(401);
    s.client_sends(allocate().nonce("x")).expect_error(438);
  }
  Client neighbour = client(1);  // one address, another port
  neighbour.tuple.client.port = 1;
  for (const Client& c : {client(1), neighbour}) {
    CHECK(answered(kOften, [&] { return s.client_sends(allocate().nonce("x").from(c)); }) < kOften / 8);
    CHECK(answered(kOften, [&] { return s.client_sends(allocate().unsigned_by_anybody().from(c)); }) <
          kOften / 8);
    CHECK(answered(kOften, [&] { return s.client_sends(allocate().without(AttributeType::nonce).from(c)); }) <
          kOften / 8);
  }
  CHECK(s.counters().answers_withheld > 6 * kOften * 7 / 8);
  CHECK(s.counters().bindings_withheld == 0);
  const std::uint64_t asked =
      6 * kOften + 10;  // the first, nine that were answered, and two clients' three kinds
  CHECK(s.counters().refusals == asked - s.counters().answers_withheld);
  s.client_sends(allocate().nonce(nonce).password("guess")).expect_error(401);
  s.client_sends(allocate().nonce(nonce)).expect_success();
  s.client_sends(refresh().nonce(nonce)).expect_success();
  s.client_sends(allocate().unsigned_by_anybody().from(client(2))).expect_error(401);
  s.advance(3s);
  for (int i = 0; i < 10; ++i) s.client_sends(allocate().unsigned_by_anybody()).expect_error(401);
}

TEST_CASE("Binding requests and Allocate requests have separate limits", "[turn]") {
  Setup setup;
  setup.limits.unauthenticated_per_second = 5;
  setup.limits.bindings_per_second = 20;
  Scenario s(setup);
  CHECK(answered(kOften, [&] { return s.client_sends(binding()); }) >= 40);
  CHECK(answered(kOften, [&] { return s.client_sends(binding()); }) < kOften / 8);
  for (int i = 0; i < 10; ++i) s.client_sends(allocate().unsigned_by_anybody()).expect_error(401);
  CHECK(answered(kOften, [&] { return s.client_sends(allocate().unsigned_by_anybody()); }) < kOften / 8);
  s.advance(3s);
  for (int i = 0; i < 40; ++i) s.client_sends(binding()).expect_success();
}

// --- Wrong passwords

Setup limiting_failures() {
  Setup setup;
  setup.auth.secrets = {"north"};
  setup.limits.failures_per_second = 10;
  return setup;
}

RequestMaker rest_of(std::string_view user, WallTime expires) {
  RequestMaker request = allocate();
  return with_rest_name(request, "north", user, expires);
}

TEST_CASE("answers to wrong passwords of one source are limited, and those to right ones are not", "[turn]") {
  Scenario s(limiting_failures());
  const Transport transport = GENERATE(Transport::udp, Transport::tcp, Transport::dtls);
  const Client here = client_on(transport, 1);
  Client neighbour = client_on(transport, 1);
  neighbour.tuple.client.port = 1;
  const std::string nonce = s.nonce_of(here);
  const auto guess = [&] { return s.client_sends(allocate().nonce(nonce).password("guess").from(here)); };
  for (int i = 0; i < 20; ++i) guess().expect_error(401);
  for (int i = 0; i < 1000; ++i) guess().expect_silence();
  const std::string other_nonce = s.nonce_of(neighbour);
  s.client_sends(allocate().nonce(other_nonce).as("mallory").from(neighbour)).expect_silence();
  s.client_sends(allocate().nonce(nonce).realm("other").from(here)).expect_silence();
  s.client_sends(allocate().nonce(nonce).sha256().naming_algorithm(77).from(here)).expect_silence();
  CHECK(s.counters().failures_withheld == 1003);
  CHECK(s.counters().failures == 1023);

  s.client_sends(allocate().nonce(nonce).from(here)).expect_success();
  s.client_sends(refresh(0s).nonce(nonce).from(here)).expect_success();
  s.client_sends(allocate().nonce("x").from(here)).expect_error(438);
  s.client_sends(rest_of("guest", s.now().wall - 1h).nonce(nonce).from(here)).expect_error(401);
  s.client_sends(allocate().password("guess").from(client_on(transport, 2))).expect_error(401);
  s.advance(1s);
  for (int i = 0; i < 10; ++i) guess().expect_error(401);
  guess().expect_silence();
}

TEST_CASE("stale nonces and expired names do not count as wrong passwords", "[turn]") {
  Scenario s(limiting_failures());
  const std::string nonce = s.nonce_of(client(1));
  for (int i = 0; i < 200; ++i) {
    s.client_sends(allocate().nonce("x").password("guess")).expect_error(438);
    s.client_sends(rest_of("guest", s.now().wall - 1h).nonce(nonce)).expect_error(401);
    s.client_sends(allocate().unsigned_by_anybody()).expect_error(401);
  }
  CHECK(s.counters().failures == 0);
  CHECK(s.counters().expired_credentials == 200);
  s.client_sends(allocate().nonce(nonce).password("guess")).expect_error(401);
  CHECK(s.counters().failures == 1);
  CHECK(s.counters().failures_withheld == 0);
}

TEST_CASE("a wrong password is reported even when it gets no answer", "[turn]") {
  Scenario s(limiting_failures());
  for (int i = 0; i < 20; ++i) {
    const Outcome answered = s.client_sends(allocate().as("mallory"));
    REQUIRE(answered.refusals.size() == 1);
    CHECK(answered.lifetimes.empty());
    CHECK(answered.refusals[0].answered);
  }
  const Outcome silent = s.client_sends(allocate().as("mallory")).expect_silence();
  REQUIRE(silent.refusals.size() == 1);
  CHECK(silent.lifetimes.empty());
  CHECK_FALSE(silent.refusals[0].answered);
  CHECK(silent.refusals[0].username == "mallory");
  CHECK(silent.refusals[0].error == stun::ErrorCode::unauthenticated);
}

TEST_CASE("the addresses of an IPv6 /64 share a limit of wrong passwords", "[turn]") {
  Scenario s(limiting_failures());
  unsigned answers = 0;
  for (unsigned i = 1; i <= 100; ++i) {
    Client c = client(1);
    c.tuple.client = endpoint("[2a00:1:2:3::" + std::to_string(i) + "]:40000");
    answers += s.client_sends(allocate().password("guess").from(c)).to_clients.empty() ? 0 : 1;
  }
  CHECK(answers == 20);
}

TEST_CASE("a truncated MESSAGE-INTEGRITY-SHA256 is invalid", "[turn]") {
  Scenario s;
  const std::string nonce = s.nonce_of(client(1));
  for (std::size_t size = 16; size <= 32; size += 4) {
    CAPTURE(size);
    stun::TransactionId id{};
    id[0] = static_cast<std::uint8_t>(size);
    Octets message = refresh().sha256().nonce(nonce).build(s.digester(), nonce, id);
    // The hash covers the header's length, so the hash is made again for the shorter attribute.
    const std::size_t at = message.size() - 36;
    message.resize(at + 4 + size);
    store_u16(&message[at + 2], static_cast<std::uint16_t>(size));
    store_u16(&message[2], static_cast<std::uint16_t>(message.size() - stun::kHeaderSize));
    const crypto::Sha256 hash =
        s.digester().hmac_sha256(refresh().sha256().key(s.digester()).bytes(), {Bytes(message).first(at)});
    std::copy_n(hash.begin(), size, message.begin() + static_cast<std::ptrdiff_t>(at) + 4);
    const Outcome outcome = s.client_sends(message);
    const auto answer = stun::MessageView::parse(outcome.to_clients.at(0).message);
    REQUIRE(answer.has_value());
    const auto error = answer->find(AttributeType::error_code);
    REQUIRE(error);
    CHECK(stun::decode_error_code(*error)->code == (size == 32 ? 437 : 401));  // 437: it was let in
  }
}

TEST_CASE("events carry a stranger's name as it is", "[turn]") {
  const std::string names[] = {"%n%s%x",
                               "'; DROP TABLE users; --",
                               "a\r\nlevel=info msg=ok",
                               "\"quoted\"\\",
                               "\x1b[2J",
                               std::string("a\0b", 3),
                               std::string(508, 'x'),
                               "\xff\xfe",
                               "\u202Egnp.exe",
                               "{\"user\":\"root\"}",
                               "<script>"};
  Scenario s;
  for (const std::string& name : names) {
    const Outcome refused = s.client_sends(allocate().as(name)).expect_error(401);
    REQUIRE(refused.refusals.size() == 1);
    CHECK(refused.lifetimes.empty());
    CHECK(refused.refusals[0].username == name);
    CHECK(refused.refusals[0].error == stun::ErrorCode::unauthenticated);
    CHECK(refused.refusals[0].method == Method::allocate);
    CHECK(refused.refusals[0].tuple == client(1).tuple);
  }
  Setup setup;
  setup.auth.users = {{"%n \"x\" é", "p", {}, {}}};
  Scenario t(setup);
  const Outcome created = t.client_sends(allocate().as("%n \"x\" é", "p")).expect_success();
  REQUIRE(created.lifetimes.size() == 1);
  CHECK(created.refusals.empty());
  CHECK(created.lifetimes[0].kind == Kind::created);
  CHECK(created.lifetimes[0].username == "%n \"x\" é");
  CHECK(created.lifetimes[0].relayed == created.relayed()[0]);
  t.advance(600s).expect_expired();
}

// There are four kinds of noise: any octets, a header with noise after it, one of our messages with some
// octets changed, and ChannelData. It comes from a client with an allocation and from others.
TEST_CASE("5,000 random datagrams change nothing", "[turn]") {
  Scenario s(with_secrets({"north"}));
  s.client_sends(allocate()).expect_success();
  s.client_sends(channel_bind(0x4000, "5.6.7.8:1")).expect_success();
  ScriptedRandom random(99);
  const auto octet = [&] { return static_cast<std::uint8_t>(random.below(256)); };
  const std::vector<RequestMaker> samples = {allocate().fingerprint(),
                                             allocate().sha256(),
                                             refresh(0s),  // without FINGERPRINT: it is not covered
                                             refresh(0s).sha256(),
                                             create_permission("5.6.7.9:1"),
                                             channel_bind(0x4001, "5.6.7.9:1"),
                                             send("5.6.7.9:1", "payload")};
  std::vector<Octets> valid;
  for (const RequestMaker& sample : samples)
    valid.push_back(sample.build(s.digester(), s.nonce_of(client(1)), {1, 2, 3}));

  for (int i = 0; i < 5000; ++i) {
    Octets datagram(random.below(200));
    std::ranges::generate(datagram, octet);
    if (i % 4 == 1 && datagram.size() >= 20) {
      datagram.resize(datagram.size() / 4 * 4);
      datagram[0] &= 0x3F;
      store_u16(&datagram[2], static_cast<std::uint16_t>(datagram.size() - 20));
      store_u32(&datagram[4], stun::kMagicCookie);
    } else if (i % 4 == 2) {
      datagram = valid[random.below(static_cast<std::uint32_t>(valid.size()))];
      // Octets after the covered part are left alone, since an indication without a signature may end with
      // any octets.
      const auto at = random.below(static_cast<std::uint32_t>(datagram.size()));
      datagram[at] = static_cast<std::uint8_t>(datagram[at] ^ (1 + random.below(255)));
    } else if (i % 4 == 3 && datagram.size() >= 2) {
      datagram[0] = 0x41;
    }
    const Client from = i % 3 == 0 ? client(2) : client(1);
    const Outcome outcome = s.client_sends(datagram, from);
    CHECK(outcome.to_peers.empty());
    CHECK(outcome.to_clients.size() <= 1);
    for (const auto& message : outcome.to_clients) CHECK(message.tuple == from.tuple);
    CHECK(outcome.count(Kind::created) + outcome.count(Kind::deleted) == 0);
  }
  CHECK(s.allocations() == 1);
  s.client_sends(channel_data(0x4000, "still here")).expect_sent("5.6.7.8:1", "still here");
  s.peer_sends("5.6.7.8:1", "so am I").expect_channel_data(0x4000, "so am I");
  s.client_sends(send("5.6.7.9:1", "payload")).expect_silence();
  s.client_sends(refresh(0s)).expect_success();
  s.expect_no_allocation();
}

TEST_CASE("requests cut short or grown by a wrong attribute are answered or dropped, never obeyed",
          "[turn]") {
  Scenario s;
  s.client_sends(allocate()).expect_success();
  const Octets good = refresh(0s).build(s.digester(), s.nonce_of(client(1)), {});
  for (std::size_t size = 0; size < good.size(); ++size) {
    Octets cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    s.client_sends(cut).expect_silence();
    if (size < 20 || size % 4 != 0) continue;
    store_u16(&cut[2], static_cast<std::uint16_t>(size - 20));
    const Outcome outcome = s.client_sends(cut);
    if (!outcome.to_clients.empty()) CHECK(outcome.answer().message_class() == Class::error);
  }
  CHECK(s.allocations() == 1);
}

}  // namespace
}  // namespace turnpike::turn
