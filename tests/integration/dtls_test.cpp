// Tests clients by DTLS against the real daemon: what it stores for strangers, what disturbs an association
// and what does not, and that DTLS clients reach all other clients.
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/relaying.hpp"
#include "support/tls_daemon.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kDtlsListener = 0;
constexpr std::size_t kDtlsV6 = 1;

struct DtlsServer : TlsDaemon {
  explicit DtlsServer(const std::vector<std::string>& set = {})
      : TlsDaemon(joined({R"(listen=["dtls://127.0.0.1:0", "dtls://[::1]:0", "udp://127.0.0.1:0", )"
                          R"("tcp://127.0.0.1:0", "tls://127.0.0.1:0"])"},
                         set)) {}

  Endpoint at(Transport transport = Transport::dtls) const {
    constexpr std::size_t kListeners[] = {2, 3, 4, kDtlsListener};
    return daemon.listener(kListeners[static_cast<std::size_t>(transport)]);
  }
  RelayClient client(Transport transport = Transport::dtls, const char* user = "alice",
                     const char* password = "secret") const {
    return RelayClient(at(transport), {.credentials = client::Credentials{user, password}}, {}, transport);
  }
  client::DtlsSocket connect() const { return {loopback(Family::ipv4), at()}; }
};

// Makes DTLS datagrams on a UDP socket, which may belong to somebody else.
class ByHand {
 public:
  explicit ByHand(int fd) : fd_(fd) {}

  // Sends the first hello. After datagrams of the server, sends what the client answers.
  void begin() {
    dtls.start();
    transmit();
  }
  void transmit() {
    dtls.transmit([&](Bytes datagram) { ::send(fd_, datagram.data(), datagram.size(), 0); });
  }
  // Receives one datagram. Returns false when none arrives.
  bool hear(std::chrono::milliseconds patience = 10s) {
    const timeval timeout{patience.count() / 1000, patience.count() % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    Octets datagram(65536);
    const ssize_t size = recv(fd_, datagram.data(), datagram.size(), 0);
    if (size <= 0) return false;
    dtls.receive(Bytes(datagram).first(static_cast<std::size_t>(size)),
                 [&](Bytes message) { heard.emplace_back(message.begin(), message.end()); });
    return true;
  }
  // Runs the handshake until the server has received the cookie and has answered.
  bool begin_with_cookie() {
    begin();
    if (!hear()) return false;
    transmit();
    return hear();
  }
  bool finish() {
    for (transmit(); !dtls.is_established(); transmit()) {
      if (!hear()) return false;
    }
    return true;
  }

  client::DtlsClient dtls;
  std::vector<Octets> heard;

 private:
  int fd_;
};

constexpr std::size_t kDtlsSizes[] = {0, 1, 2, 3, 4, 160, 1100, 1400, 9000, 16000};

// Returns a client's first hello as it is on the wire. Its session and cookie are empty.
Octets first_hello() {
  client::DtlsClient client;
  Octets hello;
  client.start();
  client.transmit([&](Bytes datagram) { hello.assign(datagram.begin(), datagram.end()); });
  return hello;
}

// Returns the same hello with a cookie that no server made.
Octets hello_with_made_up_cookie() {
  constexpr std::size_t kCookieSizeAt = 60;
  constexpr std::size_t kCookieSize = 20;
  Octets hello = first_hello();
  REQUIRE(hello.at(kCookieSizeAt) == 0);
  hello[kCookieSizeAt] = kCookieSize;
  hello.insert(hello.begin() + kCookieSizeAt + 1, kCookieSize, 0xAA);
  for (const std::size_t length_at : {11, 15, 23}) {  // of record, message and fragment
    store_u16(&hello[length_at], static_cast<std::uint16_t>(load_u16(&hello[length_at]) + kCookieSize));
  }
  return hello;
}

}  // namespace

TEST_CASE("DTLS clients relay by indication and by channel, in both families", "[integration][dtls]") {
  DtlsServer server;
  for (const std::size_t listener : {kDtlsListener, kDtlsV6}) {
    RelayClient client(server.daemon.listener(listener), Transport::dtls);
    client::UdpSocket peer(loopback(Family::ipv4));
    client::RequestContents contents;
    contents.requested_family = Family::ipv4;
    REQUIRE(client.allocate(contents) == 0);
    CHECK(client.mapped() == client.local());
    expect_indications(client, peer);
    REQUIRE(client.bind(0x4000, peer.local()) == 0);
    expect_relaying(client, peer, 0x4000, kDtlsSizes);
    // Datagrams are not padded.
    peer.send_to(octets("x"), client.relayed());
    const auto raw = client.receive_raw(10s);
    REQUIRE(raw);
    CHECK(raw->bytes.size() == 5);
    CHECK(client.refresh(0s) == 0);
  }
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("DTLS clients and those of every other transport reach one another", "[integration][dtls]") {
  DtlsServer server;
  for (const Transport other : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    INFO(to_string(other));
    RelayClient ann = server.client();
    RelayClient ben = server.client(other, "bob", "hunter2");
    expect_conversation(ann, ben);
  }
}

TEST_CASE("a udp listener takes DTLS too, and one port serves clients of both", "[integration][dtls]") {
  DtlsServer server;
  const Endpoint both = server.at(Transport::udp);
  RelayClient ann(both, {.credentials = client::Credentials{"alice", "secret"}}, {}, Transport::dtls);
  RelayClient ben(both, {.credentials = client::Credentials{"bob", "hunter2"}}, {}, Transport::udp);
  expect_conversation(ann, ben);
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("without a certificate DTLS at a udp listener is dropped, and costs nobody else anything",
          "[integration][dtls]") {
  Daemon daemon({R"(listen=["udp://127.0.0.1:0"])", "workers=1"});
  client::UdpSocket stranger(loopback(Family::ipv4));
  stranger.send_to(first_hello(), daemon.listener());
  RelayClient client(daemon.listener());
  CHECK(client.ask(client.turn().binding()) == 0);
  CHECK_FALSE(stranger.receive(0ms));
  CHECK(daemon.stop() == 0);
  CHECK_THAT(daemon.log(), Catch::Contains("malformed=1"));
}

TEST_CASE("a datagram that no record holds is dropped, and the next one passes", "[integration][dtls]") {
  DtlsServer server;
  RelayClient client = server.client();
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.bind(0x4000, peer.local()) == 0);
  peer.send_to(Octets(20'000, 'x'), client.relayed());
  expect_relaying(client, peer, 0x4000, kDtlsSizes);
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("too_long=1"));
}

TEST_CASE("10,000 strangers who do not send their cookie back leave nothing behind", "[integration][dtls]") {
  DtlsServer server({"workers=1"});
  const Octets hellos[] = {first_hello(), hello_with_made_up_cookie()};
  const auto flood = [&](int strangers) {
    for (int i = 0; i < strangers; ++i) {
      const std::string source = "127." + std::to_string(1 + i % 200) + ".0.1:0";
      client::UdpSocket stranger(*Endpoint::parse(source));
      const Octets& hello = hellos[i % 2];
      stranger.send_to(hello, server.at());
      const auto answer = stranger.receive(10s);
      REQUIRE(answer);
      REQUIRE(answer->bytes.size() < hello.size());
    }
  };
  {
    client::DtlsSocket warm = server.connect();
    flood(100);
  }
  const std::size_t before = resident_kib(server.daemon.pid());
  flood(10'000);
  // A sanitizer keeps freed memory for a while.
  if (!has_sanitizer(server.daemon.pid())) CHECK(resident_kib(server.daemon.pid()) <= before + 64);
  client::DtlsSocket after = server.connect();
  CHECK(is_answered(after));
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("hellos_answered=10102"));
  CHECK_THAT(server.daemon.log(), Catch::Contains("begun=2 "));
}

TEST_CASE("answers to hellos of one address are limited, like answers to requests", "[integration][dtls]") {
  DtlsServer server({"limits.unauthenticated_per_second=1"});
  const Octets hello = first_hello();
  client::UdpSocket stranger(loopback(Family::ipv4));
  for (int i = 0; i < 20; ++i) stranger.send_to(hello, server.at());
  int answered = 0;
  for (; answered < 2; ++answered) REQUIRE(stranger.receive(10s));
  while (stranger.receive(500ms)) ++answered;
  CHECK(answered < 10);
  // A client that has proved its address gets all answers.
  client::DtlsSocket client(*Endpoint::parse("127.0.0.9:0"), server.at());
  for (int i = 0; i < 20; ++i) CHECK(is_answered(client));
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), !Catch::Contains("hellos_withheld=0"));
}

TEST_CASE("nothing that others send from a client's address disturbs it", "[integration][dtls]") {
  DtlsServer server({"workers=1"});
  RelayClient client = server.client();
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.bind(0x4000, peer.local()) == 0);
  const int fd = client.dtls().fd();
  const auto spoof = [&](const Octets& datagram) { ::send(fd, datagram.data(), datagram.size(), 0); };
  for (const Octets& datagram :
       {first_hello(), hello_with_made_up_cookie(), binding_request(), Octets{22}, Octets(1200, 0xFF),
        Octets{21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40},
        Octets{20, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1}}) {
    for (int i = 0; i < 10; ++i) spoof(datagram);
  }
  // The client receives HelloVerifyRequests too, and ignores them.
  expect_relaying(client, peer, 0x4000, kDtlsSizes);
  // A handshake that only lacks the client's last flight does not disturb the association either.
  ByHand other(fd);
  REQUIRE(other.begin_with_cookie());
  expect_relaying(client, peer, 0x4000, kDtlsSizes);
  CHECK(client.refresh(600s) == 0);
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("a client that starts again on its port takes its own place", "[integration][dtls]") {
  DtlsServer server({"workers=1", "limits.allocations_per_user=1"});
  RelayClient before = server.client();
  REQUIRE(before.allocate() == 0);
  ByHand after(before.dtls().fd());
  REQUIRE(after.begin_with_cookie());
  CHECK(before.refresh(600s) == 0);
  const std::string gone = "allocation deleted client=" + before.local().to_string() + " ";
  CHECK_THAT(server.daemon.log(), !Catch::Contains(gone));
  REQUIRE(after.finish());
  REQUIRE(server.daemon.wait_for_log(gone));
  after.dtls.send(binding_request());
  after.transmit();
  while (after.heard.empty()) REQUIRE(after.hear());
  CHECK(server.client().allocate() == 0);
}

TEST_CASE("a DTLS client's goodbye frees its allocation, its port and its place", "[integration][dtls]") {
  DtlsServer server({relay_on_ports("20200-20200"), "limits.allocations_per_user=1"});
  for (int i = 0; i < 5; ++i) {
    RelayClient client = server.client();
    REQUIRE(client.allocate() == 0);
    CHECK(server.client().allocate() == 486);
    const std::string gone = "allocation deleted client=" + client.local().to_string() + " ";
    client.disconnect();
    REQUIRE(server.daemon.wait_for_log(gone));
  }
}

TEST_CASE("a client that does not continue its DTLS handshake is dropped", "[integration][dtls]") {
  DtlsServer server({"workers=1", "limits.connect_timeout=2s", "limits.idle_timeout=1s"});
  SECTION("no first message") {
    client::DtlsSocket silent = server.connect();
    CHECK(is_closed(silent));
  }
  SECTION("no allocation, where one with an allocation stays") {
    RelayClient staying = server.client();
    REQUIRE(staying.allocate() == 0);
    for (int i = 0; i < 2; ++i) {
      client::DtlsSocket idle = server.connect();
      CHECK(is_answered(idle));
      CHECK(is_closed(idle));
    }
    CHECK(staying.refresh(600s) == 0);
    CHECK(staying.refresh(0s) == 0);
    CHECK(is_closed(staying.dtls()));
  }
  SECTION("no handshake") {
    client::UdpSocket socket(loopback(Family::ipv4));
    socket.connect(server.at());
    ByHand begun(socket.fd());
    REQUIRE(begun.begin_with_cookie());
    client::DtlsSocket later = server.connect();
    CHECK(is_closed(later));  // so the time of the first one is up as well
    CHECK(server.daemon.stop() == 0);
    CHECK_THAT(server.daemon.log(), Catch::Contains("timed_out=2"));
  }
}

TEST_CASE("one address has a limit of associations without an allocation", "[integration][dtls]") {
  DtlsServer server({"limits.idle_connections_per_address=4"});
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(std::make_unique<RelayClient>(server.at(), Transport::dtls));
  // The fifth one sends its cookie back once, and is refused. A hello that it sent again could take the place
  // that becomes free below. Its datagrams are handled in their order, so this has happened when the hello of
  // somebody new on its port is answered.
  client::UdpSocket socket(loopback(Family::ipv4));
  socket.connect(server.at());
  ByHand fifth(socket.fd());
  fifth.begin();
  REQUIRE(fifth.hear());
  fifth.transmit();
  socket.send_to(first_hello(), server.at());
  const auto answer = socket.receive(10s);
  REQUIRE(answer);
  constexpr std::uint8_t kHelloVerifyRequest = 3;
  CHECK(answer->bytes.at(13) == kHelloVerifyRequest);  // after the record's header
  client::DtlsSocket other(*Endpoint::parse("127.0.0.9:0"), server.at());
  CHECK(is_answered(other));
  REQUIRE(clients[0]->allocate() == 0);
  client::DtlsSocket next = server.connect();
  CHECK(is_answered(next));
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains(" established=6 handshakes_withheld=0 refused=1 "));
}

TEST_CASE("when there are too many unfinished handshakes, the oldest is dropped", "[integration][dtls]") {
  DtlsServer server({"workers=1", "limits.idle_connections_per_address=0", "limits.connect_timeout=1h"});
  RelayClient before = server.client();
  REQUIRE(before.allocate() == 0);
  for (int i = 0; i < 1030; ++i) {
    // Each client has an address of its own: a port might be used twice, and would then be the same client.
    client::UdpSocket socket({IpAddress::v4(0x7F010001 + static_cast<std::uint32_t>(i)), 0});
    socket.connect(server.at());
    ByHand unfinished(socket.fd());
    REQUIRE(unfinished.begin_with_cookie());
  }
  CHECK(server.client(Transport::dtls, "bob", "hunter2").allocate() == 0);
  CHECK(before.refresh(600s) == 0);
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("evicted=7 "));
}

TEST_CASE("several hundred associations relay at once", "[integration][dtls]") {
  DtlsServer server({"limits.idle_connections_per_address=0"});
  client::UdpSocket peer(loopback(Family::ipv4));
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 300; ++i) {
    RelayClient& client = *clients.emplace_back(std::make_unique<RelayClient>(server.at(), Transport::dtls));
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.bind(0x4000, peer.local()) == 0);
  }
  expect_echoes(clients, peer);
  // The daemon sends a close_notify to all of them.
  CHECK(server.daemon.stop() == 0);
  for (const auto& client : clients) CHECK(is_closed(client->dtls()));
}

TEST_CASE("a DTLS wildcard listener answers from the address that a client came to", "[integration][dtls]") {
  const Certificate pem = make_certificate();
  const TemporaryFile certificate(pem.certificate);
  const TemporaryFile key(pem.private_key);
  Daemon daemon({R"(listen=["dtls://0.0.0.0:0", "dtls://[::]:0"])", "tls.certificate=" + certificate.path(),
                 "tls.private_key=" + key.path(), "relay.addresses=[127.0.0.1, 127.0.0.2, 127.0.0.3]"});
  const Endpoint local = *Endpoint::parse("127.0.0.1:0");
  for (const char* address : {"127.0.0.3", "127.0.0.2"}) {
    const Endpoint at{*IpAddress::parse(address), daemon.listener(0).port};
    RelayClient client(at, {.credentials = client::Credentials{"alice", "secret"}}, local, Transport::dtls);
    REQUIRE(client.allocate() == 0);
    CHECK(client.relayed().address == *IpAddress::parse(address));
  }
  RelayClient v6({*IpAddress::parse("::1"), daemon.listener(1).port}, Transport::dtls);
  CHECK(v6.allocate() == 0);
}

TEST_CASE("openssl agrees with it on DTLS 1.2 and ALPN, and on nothing older", "[integration][dtls]") {
  if (!has_tool("openssl", "openssl")) return;
  DtlsServer server;
  const auto ask = [&](const std::string& options) {
    Child child({"sh", "-c",
                 "openssl s_client -connect " + server.at().to_string() + " -CAfile " +
                     server.files.certificate.path() + " " + options + " </dev/null"});
    child.wait();
    return child.output();
  };
  const std::string said = ask("-dtls1_2 -alpn stun.turn");
  CHECK_THAT(said, Catch::Contains("ALPN protocol: stun.turn"));
  CHECK_THAT(said, Catch::Contains("Verify return code: 0 (ok)"));
  CHECK_THAT(said, Catch::Contains("Cipher is ECDHE"));
  CHECK_THAT(ask("-dtls1 -cipher ALL:@SECLEVEL=0"), Catch::Contains("alert protocol version"));
}

TEST_CASE("a DTLS port has one daemon", "[integration][dtls]") {
  DtlsServer first;
  const std::string url = "dtls://" + first.at().to_string();
  CHECK_THROWS_WITH(Daemon({"listen=[\"" + url + "\"]", "tls.certificate=" + first.files.certificate.path(),
                            "tls.private_key=" + first.files.private_key.path()}),
                    Catch::Contains("cannot listen on " + url));
}
