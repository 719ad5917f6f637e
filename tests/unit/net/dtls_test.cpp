#include "net/dtls.hpp"

#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <deque>
#include <string>

#include "client/dtls.hpp"
#include "support/certificate.hpp"
#include "support/scripted_random.hpp"
#include "support/temporary_folder.hpp"

namespace {
// When a test sets this time, OpenSSL uses it.
std::optional<timeval> manual_time;
}  // namespace

// OpenSSL uses this clock for retransmissions; nothing else in this program does.
extern "C" int gettimeofday(timeval* now, void* zone) noexcept {
  if (!manual_time) return static_cast<int>(syscall(SYS_gettimeofday, now, zone));
  *now = *manual_time;
  return 0;
}

namespace turnpike::net {
namespace {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;
using DtlsState = DtlsAssociation::State;

Octets copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

class ManualTime {
 public:
  ManualTime() { manual_time = timeval{1'000'000, 0}; }
  ~ManualTime() { manual_time.reset(); }
  void advance(std::chrono::seconds time) { manual_time->tv_sec += time.count(); }
};

// A context whose certificate chain is as long as that of a public authority.
class Context {
 public:
  explicit Context(const std::string& ciphers = {}) {
    const test::TemporaryFolder folder;
    const test::Certificate made = test::make_certificate();
    std::string chain;
    for (int i = 0; i < 8; ++i) chain += made.certificate;
    const std::string certificate = folder.write("certificate.pem", chain);
    const std::string key = folder.write("key.pem", made.private_key);
    TlsParams params;
    params.certificate = {certificate, PemSource::Kind::file};
    params.private_key = {key, PemSource::Kind::file};
    params.ciphers = ciphers;
    context.emplace(params, std::make_shared<TicketKeys>(), TlsKind::dtls);
  }
  std::optional<TlsContext> context;
};

const TlsContext& context() {
  static const Context made;
  return *made.context;
}

// The server's side for one client, as in the daemon.
struct Server {
  explicit Server(const TlsContext& context) : tls(context) {}

  void receive(Bytes datagram) {
    const auto hello = parse_dtls_hello(datagram);
    if (hello && !(association && association->began_with(*hello))) return on_hello(datagram, *hello);
    if (!association) return;
    std::vector<Bytes> messages;
    slot.assign(datagram.begin(), datagram.end());
    state = association->receive(slot, messages);
    for (const Bytes message : messages) got.push_back(copy(message));
  }
  void on_hello(Bytes datagram, const DtlsHello& hello) {
    if (cookies.verify(client, server, hello, {})) {
      association = std::make_unique<DtlsAssociation>(tls, hello, buffers);
      state = association->start(datagram);
    } else {
      buffers.add(make_hello_verify(hello, cookies.make(client, server, hello, {})));
    }
  }
  std::vector<Octets> take() {
    std::vector<Octets> datagrams;
    for (const Bytes datagram : buffers.datagrams()) datagrams.push_back(copy(datagram));
    buffers.forget();
    buffers.reset();
    return datagrams;
  }

  const TlsContext& tls;
  Endpoint client = *Endpoint::parse("192.0.2.1:4000");
  Endpoint server = *Endpoint::parse("198.51.100.1:5349");
  crypto::Digester digester;
  test::ScriptedRandom random;
  DtlsCookies cookies{digester, random};
  DtlsBuffers buffers;
  std::unique_ptr<DtlsAssociation> association;
  DtlsState state = DtlsState::open;
  Octets slot;
  std::vector<Octets> got;
};

const char* any_cipher() {
  return GENERATE("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                  "ECDHE-ECDSA-CHACHA20-POLY1305");
}

// Both sides, and a network between them that a test controls.
struct DtlsEnds {
  explicit DtlsEnds(const char* cipher = nullptr, const TlsContext& tls = context()) : server(tls) {
    if (cipher) REQUIRE(SSL_set_cipher_list(client.ssl(), cipher) == 1);
  }

  // Returns what arrives of a flight of datagrams, in either direction.
  using Network = std::function<std::vector<Octets>(std::vector<Octets>)>;

  std::vector<Octets> client_datagrams() {
    std::vector<Octets> datagrams;
    client.transmit([&](Bytes datagram) { datagrams.push_back(copy(datagram)); });
    return datagrams;
  }
  void to_server(const std::vector<Octets>& datagrams) {
    for (const Octets& datagram : datagrams) server.receive(datagram);
  }
  void to_client(const std::vector<Octets>& datagrams) {
    for (const Octets& datagram : datagrams) {
      client.receive(datagram, [&](Bytes message) { got.push_back(copy(message)); });
    }
  }
  // Exchanges datagrams until neither side has any more.
  void exchange(const Network& network = nullptr) {
    for (;;) {
      std::vector<Octets> up = client_datagrams();
      std::vector<Octets> down = server.take();
      if (up.empty() && down.empty()) return;
      to_server(network ? network(std::move(up)) : up);
      to_client(network ? network(std::move(down)) : down);
    }
  }
  bool is_established() const {
    return client.is_established() && server.association && server.association->is_established();
  }
  // Makes the handshake over a network that may lose datagrams. Returns false when it does not end.
  bool shake_hands(const Network& network = nullptr, int patience = 20) {
    client.start();
    exchange(network);
    for (int i = 0; i < patience && !is_established(); ++i) {
      time.advance(60s);
      if (client.retransmits_in()) client.on_timeout();
      if (server.association && server.association->retransmits_in()) {
        REQUIRE(server.association->on_timeout() == DtlsState::open);
      }
      exchange(network);
    }
    return is_established();
  }
  void expect_working() {
    REQUIRE(server.association);
    client.send(Octets{1, 2, 3});
    server.got.clear();
    exchange();
    CHECK((server.got == std::vector<Octets>{{1, 2, 3}}));
    got.clear();
    server.association->send(Octets{4}, Octets{5, 6}, 1);
    exchange();
    CHECK((got == std::vector<Octets>{{4, 5, 6, 0}}));
  }

  ManualTime time;
  client::DtlsClient client{"localhost"};
  Server server;
  std::vector<Octets> got;
};

std::string protocol_of(const SSL* ssl) {
  const unsigned char* data = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

TEST_CASE("an association begins with the cookie, and carries messages both ways", "[dtls]") {
  const char* cipher = any_cipher();
  DtlsEnds ends(cipher);
  ends.client.start();
  ends.to_server(ends.client_datagrams());
  CHECK_FALSE(ends.server.association);
  const auto verify = ends.server.take();
  REQUIRE(verify.size() == 1);
  CHECK(verify.front().size() == kHelloVerifySize);
  ends.to_client(verify);
  ends.to_server(ends.client_datagrams());
  CHECK(ends.server.association);
  ends.exchange();
  REQUIRE(ends.is_established());
  CHECK(std::string(SSL_get_version(ends.client.ssl())) == "DTLSv1.2");
  CHECK(protocol_of(ends.client.ssl()) == "stun.turn");
  CHECK(std::string(SSL_get_cipher_name(ends.client.ssl())) == cipher);
  ends.expect_working();
  for (const std::size_t size : {1, 160, 1400, 9000, 16384}) {
    const Octets message(size, static_cast<std::uint8_t>(size));
    ends.server.got.clear();
    ends.got.clear();
    ends.client.send(message);
    ends.server.association->send(Bytes(message).first(1), Bytes(message).subspan(1), 0);
    ends.exchange();
    CHECK((ends.server.got == std::vector<Octets>{message}));
    CHECK((ends.got == std::vector<Octets>{message}));
  }
}

TEST_CASE("no datagram of a handshake is longer than the path surely takes", "[dtls]") {
  DtlsEnds ends;
  std::size_t datagrams = 0;
  std::size_t bytes = 0;
  CHECK(ends.shake_hands([&](std::vector<Octets> flight) {
    for (const Octets& datagram : flight) {
      ++datagrams;
      bytes += datagram.size();
      CHECK(datagram.size() <= DtlsAssociation::kHandshakeMtu);
    }
    return flight;
  }));
  CHECK(datagrams > 6);
  CHECK(bytes > 3500);  // the chain
}

TEST_CASE("the shortest messages arrive with a cipher of short tags", "[dtls]") {
  const Context short_tags("ECDHE+AESCCM8:@SECLEVEL=0");
  DtlsEnds ends("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", *short_tags.context);
  REQUIRE(ends.shake_hands());
  ends.expect_working();
  ends.client.send_close_notify();
  ends.exchange();
  CHECK(ends.server.state == DtlsState::ended);
}

TEST_CASE("a hello that comes in fragments is understood", "[dtls]") {
  DtlsEnds ends;
  std::string name(60, 'a');
  ends.client = client::DtlsClient(name.append(".").append(60, 'b').append(".example"));
  SSL_set_mtu(ends.client.ssl(), 256);
  std::size_t first_flight = 0;
  CHECK(ends.shake_hands([&](std::vector<Octets> flight) {
    if (first_flight == 0) first_flight = flight.size();
    return flight;
  }));
  CHECK(first_flight > 1);
  ends.expect_working();
}

TEST_CASE("a message is a datagram of its own", "[dtls]") {
  DtlsEnds ends;
  REQUIRE(ends.shake_hands());
  ends.server.take();
  for (int i = 0; i < 3; ++i) ends.server.association->send(Octets(1400, 'x'), {}, 0);
  const auto datagrams = ends.server.take();
  REQUIRE(datagrams.size() == 3);
  for (const Octets& datagram : datagrams) CHECK(datagram.size() == 1400 + 13 + 8 + 16);
}

TEST_CASE("a message longer than the client's records may be is dropped and counted", "[dtls]") {
  DtlsEnds ends(any_cipher());
  SSL_set_tlsext_max_fragment_length(ends.client.ssl(), TLSEXT_max_fragment_length_512);
  REQUIRE(ends.shake_hands());
  ends.server.association->send(Octets(513), {}, 0);
  CHECK(ends.server.take().empty());
  ends.server.association->send(Octets(512), {}, 0);
  CHECK(ends.server.take().size() == 1);
}

TEST_CASE("a message that no record holds is dropped and counted, and nothing else happens", "[dtls]") {
  DtlsEnds ends(any_cipher());
  REQUIRE(ends.shake_hands());
  ends.server.association->send(Octets(4), Octets(16381), 0);
  CHECK(ends.server.take().empty());
  CHECK(ends.server.buffers.counters.too_long == 1);
  ends.expect_working();
}

TEST_CASE("a handshake survives the loss of any one datagram", "[dtls]") {
  int lost = 0;
  for (int victim = 0;; ++victim) {
    CAPTURE(victim);
    DtlsEnds ends;
    int seen = 0;
    CHECK(ends.shake_hands([&](std::vector<Octets> flight) {
      std::erase_if(flight, [&](const Octets&) { return seen++ == victim; });
      return flight;
    }));
    ends.expect_working();
    if (seen <= victim) break;
    ++lost;
  }
  CHECK(lost > 6);
}

TEST_CASE("a handshake survives a network that loses a quarter of all datagrams", "[dtls]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    test::ScriptedRandom random(seed);
    DtlsEnds ends;
    REQUIRE(ends.shake_hands([&](std::vector<Octets> flight) {
      std::erase_if(flight, [&](const Octets&) { return random.below(4) == 0; });
      return flight;
    }));
    ends.expect_working();
  }
}

TEST_CASE("a handshake survives datagrams that come twice, late or out of order", "[dtls]") {
  SECTION("twice") {
    DtlsEnds ends;
    CHECK(ends.shake_hands([](std::vector<Octets> flight) {
      std::vector<Octets> twice;
      for (const Octets& datagram : flight) twice.insert(twice.end(), 2, datagram);
      return twice;
    }));
    ends.expect_working();
  }
  SECTION("reversed") {
    DtlsEnds ends;
    CHECK(ends.shake_hands(
        [](std::vector<Octets> flight) { return std::vector<Octets>(flight.rbegin(), flight.rend()); }));
    ends.expect_working();
  }
  SECTION("all that came before, again with each flight") {
    DtlsEnds ends;
    std::vector<Octets> before[2];
    std::size_t direction = 0;
    CHECK(ends.shake_hands([&](std::vector<Octets> flight) {
      auto& old = before[direction++ % 2];
      const auto fresh = flight;
      if (old.size() < 60) flight.insert(flight.end(), old.begin(), old.end());
      old.insert(old.end(), fresh.begin(), fresh.end());
      return flight;
    }));
    ends.expect_working();
  }
}

TEST_CASE("data that overtakes the end of the handshake is not lost", "[dtls]") {
  const char* cipher = any_cipher();
  DtlsEnds first(cipher);
  REQUIRE(first.shake_hands());
  // A resumed handshake ends with the client's message, so the client's first data may arrive before it.
  DtlsEnds ends(cipher);
  SSL_set_session(ends.client.ssl(), SSL_get_session(first.client.ssl()));
  ends.client.start();
  while (!ends.client.is_established()) {
    ends.to_server(ends.client_datagrams());
    ends.to_client(ends.server.take());
  }
  REQUIRE(SSL_session_reused(ends.client.ssl()) == 1);
  const auto finished = ends.client_datagrams();
  const Octets message(900, 'm');
  ends.client.send(message);
  ends.client.send(Octets{'n'});
  const auto data = ends.client_datagrams();
  ends.to_server(data);
  CHECK(ends.server.got.empty());
  ends.to_server(finished);
  CHECK((ends.server.got == std::vector<Octets>{message, {'n'}}));
  CHECK(ends.is_established());
  // The record is not counted again either.
  ends.to_server(data);
  CHECK(ends.server.got.size() == 2);
  ends.expect_working();
}

TEST_CASE("a flight that gets lost is sent again when its time has come", "[dtls]") {
  DtlsEnds ends;
  ends.client.start();
  ends.to_server(ends.client_datagrams());
  ends.to_client(ends.server.take());
  ends.to_server(ends.client_datagrams());
  const auto flight = ends.server.take();
  REQUIRE(flight.size() > 1);
  auto wait = ends.server.association->retransmits_in();
  REQUIRE(wait);
  CHECK(*wait == 1s);
  CHECK(ends.server.association->on_timeout() == DtlsState::open);
  CHECK(ends.server.take().empty());
  ends.time.advance(1s);
  CHECK(ends.server.association->retransmits_in() == 0ms);
  CHECK(ends.server.association->on_timeout() == DtlsState::open);
  CHECK(ends.server.take().size() >= flight.size());
  CHECK(ends.server.association->retransmits_in() == 2s);
  ends.to_client(flight);
  ends.exchange();
  CHECK(ends.is_established());
  CHECK_FALSE(ends.server.association->retransmits_in());
}

TEST_CASE("what is not a record of an association leaves it as it is", "[dtls]") {
  DtlsEnds ends(any_cipher());
  std::vector<Octets> handshake;
  REQUIRE(ends.shake_hands([&](std::vector<Octets> flight) {
    handshake.insert(handshake.end(), flight.begin(), flight.end());
    return flight;
  }));
  ends.client.send(Octets{1, 2, 3});
  const Octets record = ends.client_datagrams().front();
  std::vector<Octets> noise{{}, {22}, {23, 0xFE, 0xFD}, Octets(12, 23), Octets(13, 23), Octets(1500, 0xFF)};
  const std::pair<std::size_t, int> changes[] = {
      {0, 22},    // data as a handshake
      {0, 20},    // or as a change of keys
      {0, 99},    // or as nothing known
      {1, 3},     // TLS
      {4, 0},     // of the handshake's epoch
      {4, 2},     // of the next epoch
      {10, 77},   // of another number
      {12, 255},  // of another length
      {20, 0},    // other contents
  };
  for (const auto& [index, value] : changes) {
    noise.push_back(record);
    noise.back()[index] = static_cast<std::uint8_t>(noise.back()[index] == value ? value + 1 : value);
  }
  // These records of the new epoch are too short to be valid.
  for (const std::uint8_t type : {20, 21, 22, 23}) {
    for (const std::uint8_t size : {0, 1, 15}) {
      noise.push_back({type, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 99, 0, size});
      noise.back().resize(13U + size);
    }
  }
  // These are alerts in clear text: close_notify and handshake_failure.
  for (const std::uint8_t alert : {0, 40}) {
    noise.push_back({21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, alert});
  }
  for (const Octets& datagram : noise) ends.server.receive(datagram);
  for (const Octets& datagram : handshake) {
    if (!parse_dtls_hello(datagram)) ends.server.receive(datagram);
  }
  CHECK(ends.server.got.empty());
  CHECK(ends.server.state == DtlsState::open);
  // The record itself is counted once.
  for (int i = 0; i < 3; ++i) ends.server.receive(record);
  CHECK((ends.server.got == std::vector<Octets>{{1, 2, 3}}));
  ends.server.take();
  ends.expect_working();
}

TEST_CASE("records may come in another order, and each counts once", "[dtls]") {
  DtlsEnds ends(any_cipher());
  REQUIRE(ends.shake_hands());
  std::vector<Octets> sent;
  for (std::uint8_t i = 0; i < 100; ++i) sent.emplace_back(40, i);
  const auto reversed = [](std::vector<Octets> messages) {
    return std::vector<Octets>(messages.rbegin(), messages.rend());
  };
  for (const Octets& message : sent) ends.client.send(message);
  auto datagrams = ends.client_datagrams();
  REQUIRE(datagrams.size() == sent.size());
  ends.to_server(reversed(datagrams));
  ends.to_server(datagrams);
  // RFC 6347 §4.1.2.6: a record that is more than 64 late may be a copy.
  REQUIRE(ends.server.got.size() == 64);
  CHECK((ends.server.got == reversed({sent.begin() + 36, sent.end()})));

  for (const Octets& message : sent) ends.server.association->send(message, {}, 0);
  datagrams = ends.server.take();
  std::swap(datagrams[3], datagrams[7]);
  std::swap(sent[3], sent[7]);
  ends.to_client(datagrams);
  CHECK((ends.got == sent));
  ends.expect_working();
}

TEST_CASE("several records may come in one datagram", "[dtls]") {
  DtlsEnds ends(any_cipher());
  REQUIRE(ends.shake_hands());
  Octets together;
  for (const std::uint8_t byte : {1, 2, 3}) ends.client.send(Octets(100, byte));
  for (const Octets& datagram : ends.client_datagrams())
    together.insert(together.end(), datagram.begin(), datagram.end());
  together.insert(together.end(), 5, 23);
  ends.server.receive(together);
  CHECK((ends.server.got == std::vector<Octets>{Octets(100, 1), Octets(100, 2), Octets(100, 3)}));
}

TEST_CASE("either side may close the association", "[dtls]") {
  DtlsEnds ends(any_cipher());
  REQUIRE(ends.shake_hands());
  SECTION("the client, at once") {
    ends.client.send_close_notify();
    ends.exchange();
    CHECK(ends.server.state == DtlsState::ended);
  }
  SECTION("the client") {
    ends.client.send(Octets{9});
    ends.client.send_close_notify();
    ends.exchange();
    CHECK((ends.server.got == std::vector<Octets>{{9}}));
    CHECK(ends.server.state == DtlsState::ended);
    CHECK(ends.server.buffers.counters.handshakes_failed == 0);
  }
  SECTION("the server") {
    ends.server.association->send_close_notify();
    ends.exchange();
    CHECK(ends.client.closed());
    CHECK(ends.client.problem().empty());
  }
}

TEST_CASE("a client that wants to renegotiate is refused, and stays connected", "[dtls]") {
  DtlsEnds ends(any_cipher());
  REQUIRE(ends.shake_hands());
  if (GENERATE(false, true)) {  // before and after it has said anything else
    ends.client.send(Octets{4});
    ends.exchange();
    ends.server.got.clear();
  }
  ends.client.send(Octets{5});
  const auto data = ends.client_datagrams();
  REQUIRE(SSL_renegotiate(ends.client.ssl()) == 1);
  SSL_do_handshake(ends.client.ssl());
  const auto hello = ends.client_datagrams();
  REQUIRE_FALSE(hello.empty());
  ends.to_server(hello);
  CHECK(ends.server.state == DtlsState::open);
  const auto answer = ends.server.take();
  REQUIRE(answer.size() == 1);
  CHECK(answer.front()[0] == 21);
  ends.to_server(data);
  CHECK((ends.server.got == std::vector<Octets>{{5}}));
  ends.server.association->send(Octets{6}, {}, 0);
  CHECK(ends.server.take().size() == 1);
  CHECK(ends.server.state == DtlsState::open);
}

TEST_CASE("DTLS 1.0 and a malformed key exchange lead to no association", "[dtls]") {
  SECTION("old") {
    DtlsEnds ends;
    SSL_set_min_proto_version(ends.client.ssl(), DTLS1_VERSION);
    SSL_set_max_proto_version(ends.client.ssl(), DTLS1_VERSION);
    SSL_set_security_level(ends.client.ssl(), 0);
    CHECK_FALSE(ends.shake_hands(nullptr, 0));
    CHECK(ends.client.closed());
  }
  SECTION("made up") {
    DtlsEnds ends;
    ends.client.start();
    ends.exchange([&](std::vector<Octets> flight) {
      // This is the client's key exchange, with a key that is longer than the message.
      for (Octets& datagram : flight) {
        if (datagram.size() > 40 && datagram[0] == 22 && datagram[13] == 16) datagram[25] = 0xFF;
      }
      return flight;
    });
    CHECK(ends.server.state == DtlsState::ended);
    CHECK(ends.server.buffers.counters.handshakes_failed == 1);
  }
}

}  // namespace
}  // namespace turnpike::net
