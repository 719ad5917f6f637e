// Tests clients by TCP and TLS against the real daemon: what they may do to a stream, how long they may stay,
// and that they reach all other clients.
#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/quiet_port.hpp"
#include "support/relaying.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kTcpListener = 1;
constexpr std::size_t kTcpV6 = 2;
constexpr std::size_t kTlsListener = 3;
constexpr std::size_t kTlsV6 = 4;

// A daemon with a certificate and a listener of each kind: udp, tcp, tls.
struct StreamServer : TlsDaemon {
  explicit StreamServer(const std::vector<std::string>& set = {}, const Child::Options& options = {})
      : TlsDaemon(joined({R"(listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tcp://[::1]:0", )"
                          R"("tls://127.0.0.1:0", "tls://[::1]:0"])"},
                         set),
                  make_certificate(), options) {}

  Endpoint at(Transport transport) const {
    return daemon.listener(transport == Transport::udp   ? 0
                           : transport == Transport::tcp ? kTcpListener
                                                         : kTlsListener);
  }
  RelayClient client(Transport transport, const char* user = "alice", const char* password = "secret") const {
    return RelayClient(at(transport), {.credentials = client::Credentials{user, password}}, {}, transport);
  }
  client::StreamSocket connect(Transport transport = Transport::tcp) const {
    std::optional<client::StreamSocket::Tls> tls;
    if (transport == Transport::tls) tls.emplace();
    return client::StreamSocket(loopback(Family::ipv4), at(transport), tls);
  }
};

constexpr std::size_t kStreamSizes[] = {0, 1, 2, 3, 4, 160, 1100, 9000, 60000};

}  // namespace

TEST_CASE("TCP and TLS clients relay by indication and by channel, in both families", "[integration]") {
  StreamServer server;
  for (const auto& [transport, listener] : {std::pair{Transport::tcp, kTcpListener},
                                            {Transport::tcp, kTcpV6},
                                            {Transport::tls, kTlsListener},
                                            {Transport::tls, kTlsV6}}) {
    CAPTURE(to_string(transport));
    RelayClient client(server.daemon.listener(listener), transport);
    client::UdpSocket peer(loopback(Family::ipv4));
    client::RequestContents contents;
    contents.requested_family = Family::ipv4;
    REQUIRE(client.allocate(contents) == 0);
    CHECK(client.mapped() == client.local());
    expect_indications(client, peer);
    REQUIRE(client.bind(0x4000, peer.local()) == 0);
    expect_relaying(client, peer, 0x4000, kStreamSizes);
    CHECK(client.refresh(0s) == 0);
  }
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("clients of every transport reach one another through the relay", "[integration]") {
  StreamServer server;
  constexpr Transport kAll[] = {Transport::udp, Transport::tcp, Transport::tls};
  for (const Transport first : kAll) {
    for (const Transport second : kAll) {
      INFO(to_string(first) << " to " << to_string(second));
      RelayClient ann = server.client(first);
      RelayClient ben = server.client(second, "bob", "hunter2");
      expect_conversation(ann, ben);
    }
  }
}

TEST_CASE("requests may come in single bytes or all at once", "[integration]") {
  StreamServer server;
  for (const Transport transport : {Transport::tcp, Transport::tls}) {
    client::StreamSocket socket = server.connect(transport);
    const Octets request = binding_request();
    for (const std::uint8_t& byte : request) socket.send({&byte, 1});
    CHECK(socket.receive(10s));
    Octets many;
    for (int i = 0; i < 1000; ++i) many.insert(many.end(), request.begin(), request.end());
    socket.send(many);
    for (int i = 0; i < 1000; ++i) REQUIRE(socket.receive(10s));
    CHECK_FALSE(socket.closed());
  }
}

TEST_CASE("what is no message closes the connection, after what came before is answered", "[integration]") {
  StreamServer server;
  for (const Transport transport : {Transport::tcp, Transport::tls}) {
    for (const Octets& garbage :
         {Octets{0xFF}, Octets{0x80, 1, 2, 3}, Octets{0, 1, 0, 3}, Octets{0, 1, 0, 0, 1, 2, 3, 4}}) {
      client::StreamSocket socket = server.connect(transport);
      Octets bytes = binding_request();
      bytes.insert(bytes.end(), garbage.begin(), garbage.end());
      socket.send(bytes);
      CHECK(socket.receive(10s));
      CHECK(is_closed(socket));
    }
  }
  client::StreamSocket socket = server.connect();
  CHECK(is_answered(socket));
}

TEST_CASE("a request is answered though the client has closed its half", "[integration]") {
  StreamServer server;
  client::StreamSocket socket = server.connect();
  socket.send(binding_request());
  shutdown(socket.fd(), SHUT_WR);
  CHECK(socket.receive(10s));
  CHECK(is_closed(socket));
}

TEST_CASE("a connection's end frees its allocation, its port and its place in the quota", "[integration]") {
  StreamServer server(
      {relay_on_ports("20100-20101"), "limits.allocations_per_user=1", "limits.allocations=2"});
  for (const Transport transport : {Transport::tcp, Transport::tls}) {
    for (int i = 0; i < 5; ++i) {
      RelayClient client = server.client(transport);
      REQUIRE(client.allocate() == 0);
      CHECK(server.client(transport).allocate() == 486);
      const std::string gone = "allocation deleted client=" + client.local().to_string() + " ";
      client.disconnect();
      REQUIRE(server.daemon.wait_for_log(gone));
    }
  }
  // The same holds when it ends abruptly.
  RelayClient client = server.client(Transport::tcp);
  REQUIRE(client.allocate() == 0);
  const std::string gone = "allocation deleted client=" + client.local().to_string() + " ";
  const linger reset{1, 0};
  setsockopt(client.stream().fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  client.disconnect();
  REQUIRE(server.daemon.wait_for_log(gone));
  CHECK(server.client(Transport::udp).allocate() == 0);
}

TEST_CASE("a client that does not read loses media, and nobody else notices", "[integration]") {
  StreamServer server({"workers=1"});
  for (const Transport transport : {Transport::tcp, Transport::tls}) {
    RelayClient lazy = server.client(transport);
    RelayClient busy = server.client(Transport::tcp, "bob", "hunter2");
    client::UdpSocket peer(loopback(Family::ipv4));
    REQUIRE(lazy.allocate() == 0);
    REQUIRE(lazy.bind(0x4000, peer.local()) == 0);
    REQUIRE(busy.allocate() == 0);
    REQUIRE(busy.bind(0x4000, peer.local()) == 0);
    expect_relaying(busy, peer, 0x4000, kStreamSizes);
    const std::size_t before = resident_kib(server.daemon.pid());
    const Octets payload(1000, 'm');
    for (int burst = 0; burst < 600; ++burst) {
      for (int i = 0; i < 50; ++i) peer.send_to(payload, lazy.relayed());
      if (burst % 100 == 0) expect_relaying(busy, peer, 0x4000, kStreamSizes);
    }
    const std::size_t after = resident_kib(server.daemon.pid());
    CHECK(after < before + 16 * 1024);  // of 30 MB; a sanitizer holds on to what was freed
    // The messages that arrived are complete, and control messages were kept.
    CHECK(lazy.refresh(600s) == 0);
    const Octets last = octets("the last");
    std::size_t arrived = 0;
    bool ended = false;
    // The relay socket's buffer in the kernel may still be full, and then lose a datagram. So it is sent
    // until it arrives.
    for (int tries = 0; tries < 100 && !ended; ++tries) {
      peer.send_to(last, lazy.relayed());
      while (const std::optional<Arrival> arrival = lazy.receive(100ms)) {
        ++arrived;
        REQUIRE((arrival->payload == payload || arrival->payload == last));
        ended = ended || arrival->payload == last;
      }
    }
    CHECK(ended);
    CHECK(arrived < 30000);
  }
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), !Catch::Contains("media_dropped=0"));
  CHECK_THAT(server.daemon.log(), Catch::Contains("too_slow=0"));
}

TEST_CASE("a client that asks for ever and never reads is closed", "[integration]") {
  StreamServer server({"workers=1"});
  client::StreamSocket rude = server.connect();
  client::StreamSocket polite = server.connect();
  Octets many;
  for (int i = 0; i < 1000; ++i) {
    const Octets request = binding_request();
    many.insert(many.end(), request.begin(), request.end());
  }
  std::size_t sent = 0;
  try {
    for (; sent < 10'000; ++sent) rude.send(many);
  } catch (const std::system_error&) {
  }
  CHECK(sent < 10'000);
  CHECK(is_answered(polite));
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("too_slow=1"));
}

TEST_CASE("a client that does not continue is closed", "[integration]") {
  StreamServer server({"limits.connect_timeout=2s", "limits.idle_timeout=1s"});
  SECTION("no TLS handshake") {
    client::StreamSocket silent(loopback(Family::ipv4), server.at(Transport::tls), {});
    client::StreamSocket begun(loopback(Family::ipv4), server.at(Transport::tls), {});
    begun.send(Octets{0x16, 3, 1, 2, 0, 1});
    CHECK(is_closed(silent));
    CHECK(is_closed(begun));
  }
  SECTION("no first message") {
    for (const Transport transport : {Transport::tcp, Transport::tls}) {
      client::StreamSocket silent = server.connect(transport);
      client::StreamSocket begun = server.connect(transport);
      begun.send(Bytes(binding_request()).first(19));
      CHECK(is_closed(silent));
      CHECK(is_closed(begun));
    }
  }
  SECTION("no allocation, where one with an allocation stays") {
    RelayClient staying = server.client(Transport::tls);
    REQUIRE(staying.allocate() == 0);
    for (int i = 0; i < 2; ++i) {
      client::StreamSocket idle = server.connect();
      CHECK(is_answered(idle));
      CHECK(is_closed(idle));
    }
    CHECK(staying.refresh(600s) == 0);
    CHECK(staying.refresh(0s) == 0);
    CHECK(is_closed(staying.stream()));
  }
}

TEST_CASE("one address has a limit of connections without an allocation", "[integration]") {
  StreamServer server({"limits.idle_connections_per_address=4"});
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<RelayClient>(server.at(Transport::tcp), Transport::tcp));
    CHECK(is_answered(clients.back()->stream()));
  }
  client::StreamSocket fifth = server.connect();
  CHECK(is_closed(fifth));
  // Another address has a limit of its own.
  client::StreamSocket other(*Endpoint::parse("127.0.0.9:0"), server.at(Transport::tcp), {});
  CHECK(is_answered(other));
  // An allocation frees a place, and its deletion takes the place again.
  REQUIRE(clients[0]->allocate() == 0);
  client::StreamSocket next = server.connect();
  CHECK(is_answered(next));
  REQUIRE(clients[0]->refresh(0s) == 0);
  client::StreamSocket late = server.connect();
  CHECK(is_closed(late));
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("refused=2"));
}

TEST_CASE("all addresses together have a limit of connections without an allocation", "[integration]") {
  StreamServer server({"limits.idle_connections=4"});
  const auto come_from = [&](const std::string& address, Transport transport = Transport::tcp) {
    return std::make_unique<RelayClient>(
        server.at(transport), client::Params{.credentials = client::Credentials{"alice", "secret"}},
        Endpoint::parse(address + ":0"), transport);
  };
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (const char* address : {"127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"}) {
    clients.push_back(come_from(address));
    CHECK(is_answered(clients.back()->stream()));
  }
  client::StreamSocket fifth(*Endpoint::parse("127.0.0.15:0"), server.at(Transport::tcp), {});
  CHECK(is_closed(fifth));
  // An allocation frees a place, for a client of any address and transport.
  REQUIRE(clients[0]->allocate() == 0);
  CHECK(come_from("127.0.0.16", Transport::tls)->allocate() == 0);
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("refused=1"));
}

// Each asks for 320 kB of answers. Without a limit for strangers, the daemon would hold most of them.
TEST_CASE("190 strangers who ask and never read hold little", "[integration]") {
  constexpr std::size_t kStrangers = 190;
  constexpr int kRequests = 10'000;
  StreamServer server({"workers=1"});
  client::StreamSocket polite(*Endpoint::parse("127.0.0.9:0"), server.at(Transport::tcp), {});
  REQUIRE(is_answered(polite));
  const std::size_t before = resident_kib(server.daemon.pid());
  std::string many;
  for (int i = 0; i < kRequests; ++i) many += kBinding;
  std::vector<net::Fd> strangers;
  std::vector<std::size_t> sent(kStrangers);
  for (std::size_t i = 0; i < kStrangers; ++i) {
    strangers.push_back(connect_to(server.at(Transport::tcp)));
    const int little = 4096;  // so that not even the kernel takes much for them
    setsockopt(strangers.back().get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
  }
  for (bool is_writing = true; is_writing;) {
    is_writing = false;
    for (std::size_t i = 0; i < kStrangers; ++i) {
      if (sent[i] == many.size()) continue;
      const ssize_t size = ::send(strangers[i].get(), many.data() + sent[i], many.size() - sent[i],
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size < 0 && errno != EAGAIN) {
        sent[i] = many.size();  // it was closed
      } else {
        sent[i] += static_cast<std::size_t>(std::max<ssize_t>(size, 0));
        is_writing = true;
      }
    }
    REQUIRE(is_answered(polite));
  }
  // The worker reads from each stream in each pass, so by then it has read all that is to be read.
  for (int i = 0; i < 100; ++i) REQUIRE(is_answered(polite));
  const std::size_t after = resident_kib(server.daemon.pid());
  INFO("resident: " << before << " → " << after << " KiB");
  if (!has_sanitizer(server.daemon.pid())) CHECK(after < before + kStrangers * 48);
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("several hundred connections relay at once", "[integration]") {
  StreamServer server;
  client::UdpSocket peer(loopback(Family::ipv4));
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 400; ++i) {
    const Transport transport = i % 4 == 0 ? Transport::tls : Transport::tcp;
    RelayClient& client =
        *clients.emplace_back(std::make_unique<RelayClient>(server.at(transport), transport));
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.bind(0x4000, peer.local()) == 0);
  }
  expect_echoes(clients, peer);
  clients.clear();
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("refused=0"));
}

TEST_CASE("on a wildcard listener the address that a client came to is the server's", "[integration]") {
  Daemon daemon({R"(listen=["udp://127.0.0.1:0", "tcp://0.0.0.0:0", "tcp://[::]:0"])",
                 "relay.addresses=[127.0.0.1, 127.0.0.2, 127.0.0.3]"});
  for (const char* address : {"127.0.0.3", "127.0.0.2"}) {
    RelayClient client({*IpAddress::parse(address), daemon.listener(1).port}, Transport::tcp);
    REQUIRE(client.allocate() == 0);
    CHECK(client.relayed().address == *IpAddress::parse(address));
  }
  RelayClient v6({*IpAddress::parse("::1"), daemon.listener(2).port}, Transport::tcp);
  CHECK(v6.allocate() == 0);
}

TEST_CASE("when descriptors run out, connections wait and the rest goes on", "[integration]") {
  StreamServer server({"workers=1"}, {.descriptor_limit = 40});
  RelayClient before = server.client(Transport::udp);
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(before.allocate() == 0);
  REQUIRE(before.bind(0x4000, peer.local()) == 0);
  std::vector<std::unique_ptr<client::StreamSocket>> sockets;
  for (int i = 0; i < 60; ++i) {
    sockets.push_back(std::make_unique<client::StreamSocket>(loopback(Family::ipv4),
                                                             server.at(Transport::tcp), std::nullopt));
  }
  expect_relaying(before, peer, 0x4000, kStreamSizes);
  CHECK(is_answered(*sockets.front()));
  auto last = std::move(sockets.back());
  sockets.clear();
  CHECK(is_answered(*last));
}

TEST_CASE("a TCP port has one daemon, and the next one may start at once", "[integration]") {
  const IpAddress address = loopback(Family::ipv4).address;
  const Endpoint at = quiet_endpoint(address);
  const std::string listen = R"(listen=["tcp://)" + at.to_string() + R"("])";
  Daemon first({listen});
  CHECK_THROWS_WITH(Daemon({listen}), Catch::Contains("cannot listen on tcp://" + at.to_string()));
  RelayClient client(at, Transport::tcp);
  REQUIRE(client.allocate() == 0);
  CHECK(first.stop() == 0);  // it closes first, so that its side stays in TIME_WAIT
  CHECK(is_closed(client.stream()));
  Daemon second({listen});
  CHECK(RelayClient(at, Transport::tcp).allocate() == 0);
}

TEST_CASE("openssl agrees with it on TLS 1.2, TLS 1.3 and ALPN, and on nothing older", "[integration]") {
  if (!has_tool("openssl", "openssl")) return;
  StreamServer server;
  const auto ask = [&](const std::string& options) {
    Child child({"sh", "-c",
                 "openssl s_client -connect " + server.at(Transport::tls).to_string() + " -CAfile " +
                     server.files.certificate.path() + " " + options + " </dev/null"});
    child.wait();
    return child.output();
  };
  for (const std::string version : {"1_2", "1_3"}) {
    const std::string said = ask("-tls" + version + " -alpn stun.turn");
    CHECK_THAT(said, Catch::Contains("ALPN protocol: stun.turn"));
    CHECK_THAT(said, Catch::Contains("Verify return code: 0 (ok)"));
  }
  CHECK_THAT(ask("-tls1_1 -cipher ALL:@SECLEVEL=0"), Catch::Contains("alert protocol version"));
}

TEST_CASE("a certificate that cannot be used keeps it from starting, and --check finds it", "[integration]") {
  const Certificate pem = make_certificate();
  const TemporaryFile certificate(pem.certificate);
  const TemporaryFile key(pem.private_key);
  const TemporaryFile other(make_certificate().private_key);
  const TemporaryFile noise("noise\n");
  const TemporaryFile config("listen: [\"tls://127.0.0.1:0\"]\n");
  const auto check = [&](const TemporaryFile& certificate_file, const TemporaryFile& key_file) {
    Child child({daemon_path(), "--check", "--config", config.path(), "--set",
                 "tls.certificate=" + certificate_file.path(), "--set",
                 "tls.private_key=" + key_file.path()});
    return child.wait() == 0 ? "fine" : child.output();
  };
  CHECK(check(certificate, key) == "fine");
  CHECK(check(noise, key) == "turnpike: tls.certificate: " + noise.path() + ": has no certificate in PEM\n");
  CHECK(check(certificate, other) ==
        "turnpike: tls.private_key: " + other.path() + ": key values mismatch\n");
}
