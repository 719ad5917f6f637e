// Tests a port for everything over TCP: STUN and TURN, with or without TLS, and the page; and ports behind
// load balancers that use the PROXY protocol.
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/relay_client.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/message.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

constexpr const char* kPage = "signaling={listen: [], access: open}";

struct AutoServer {
  explicit AutoServer(std::vector<std::string> set = {kPage},
                      const std::string& listen = R"("auto://127.0.0.1:0")", bool certified = true)
      : daemon(with_files(joined(std::move(set), {"listen=[" + listen + ']'}), certified)) {}

  std::vector<std::string> with_files(const std::vector<std::string>& set, bool certified) const {
    return certified ? files.with(set) : set;
  }
  Endpoint at(std::size_t n = 0) const { return daemon.listener(n); }

  CertificateFiles files;
  Daemon daemon;
};

const std::string kGet = "GET / HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n";

bool is_binding_success(const std::string& answer) { return answer.starts_with("\1\1"s); }

// Sends these bytes, in parts of this size, and returns the answer up to the end of the connection.
std::string converse(const Endpoint& server, std::string_view bytes, std::size_t part = 0) {
  const net::Fd fd = connect_to(server);
  for (std::size_t at = 0; at < bytes.size(); at += part == 0 ? bytes.size() : part) {
    write_all(fd.get(), bytes.substr(at, part == 0 ? bytes.npos : part));
  }
  return read_all(fd.get());
}

void expect_relay(RelayClient& client) {
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.bind(0x4000, peer.local()) == 0);
  for (const std::size_t size : {1, 160, 1100}) {
    const Octets payload(size, 'x');
    client.send_on_channel(0x4000, payload);
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK((datagram->bytes == payload));
    peer.send_to(payload, client.relayed());
    const auto arrival = client.receive();
    REQUIRE(arrival);
    CHECK((arrival->payload == payload));
  }
}

}  // namespace

TEST_CASE("one port takes TURN by TCP, TURN by TLS, and shows the page by https", "[integration][auto]") {
  AutoServer server;
  RelayClient plain(server.at(), Transport::tcp);
  expect_relay(plain);
  RelayClient secure(server.at(), Transport::tls);
  expect_relay(secure);
  CHECK(server.daemon.wait_for_log("client=" + secure.local().to_string() + " "));

  for (const std::string protocols : {"", "\x02h2\x08http/1.1", "\x08http/1.1", "\x02h2"}) {
    TlsProbe page(server.at(), {.protocols = protocols});
    REQUIRE(page.is_open());
    CHECK(page.protocol() == (protocols.find("http") == std::string::npos ? "" : "http/1.1"));
    REQUIRE(page.write(kGet));
    const std::string answer = page.read_all();
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 200 OK"));
    CHECK_THAT(answer, Catch::Contains("</html>"));
  }
  // Both continue as if nothing had happened.
  CHECK(plain.refresh(600s) == 0);
  CHECK(secure.refresh(600s) == 0);
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("inside of TLS, ALPN tells what a client speaks, else its first octet", "[integration][auto]") {
  AutoServer server;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const auto& [protocols, agreed] : {std::pair{""s, ""s},
                                            {"\x09stun.turn"s, "stun.turn"s},
                                            {"\x12stun.nat-discovery"s, "stun.nat-discovery"s},
                                            {"\x08http/1.1\x09stun.turn"s, "stun.turn"s},
                                            {"\x02h2"s, ""s}}) {
      TlsProbe probe(server.at(), {.version = version, .protocols = protocols});
      REQUIRE(probe.is_open());
      CHECK(probe.protocol() == agreed);
      REQUIRE(probe.write(kBinding));
      CHECK(is_binding_success(probe.read()));
    }
    // A client that agrees on TURN and then uses HTTP, or the reverse, is not understood.
    TlsProbe confused(server.at(), {.version = version, .protocols = "\x09stun.turn"});
    REQUIRE(confused.write("GARBAGE / HTTP/1.1\r\n\r\n"));  // ChannelData that nobody is there for
    TlsProbe other(server.at(), {.version = version, .protocols = "\x08http/1.1"});
    REQUIRE(other.write(kBinding));
    CHECK_THAT(other.read_all(), Catch::StartsWith("HTTP/1.1 400"));
    // Each byte has a record of its own.
    TlsProbe slow(server.at(), {.version = version});
    for (const char& byte : kGet) REQUIRE(slow.write({&byte, 1}));
    CHECK_THAT(slow.read_all(), Catch::StartsWith("HTTP/1.1 200 OK"));
    TlsProbe slow_turn(server.at(), {.version = version});
    for (const char& byte : kBinding) REQUIRE(slow_turn.write({&byte, 1}));
    CHECK(is_binding_success(slow_turn.read()));
  }
}

// With TLS 1.3, a client sends its last handshake message and its first request together.
TEST_CASE("a request may be cut anywhere while its connection changes hands", "[integration][auto]") {
  AutoServer server;
  const std::unique_ptr<SSL_CTX, net::TlsDeleter> context(SSL_CTX_new(TLS_client_method()));
  for (const std::size_t missing : {1, 10, 50, 66, 70}) {
    CAPTURE(missing);
    const net::TlsSession client(SSL_new(context.get()));
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set_bio(client.get(), in, out);
    const std::string http = "\x08http/1.1";
    SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(http.data()), 9);
    const net::Fd fd = connect_to(server.at());
    const auto take_out = [&] {
      std::string bytes(BIO_ctrl_pending(out), 0);
      if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
      return bytes;
    };
    const auto receive = [&] {
      char chunk[4096];
      const ssize_t got = recv(fd.get(), chunk, sizeof chunk, 0);
      REQUIRE(got > 0);
      BIO_write(in, chunk, static_cast<int>(got));
    };
    while (SSL_connect(client.get()) != 1) {
      write_all(fd.get(), take_out());
      receive();
    }
    REQUIRE(SSL_write(client.get(), kGet.data(), static_cast<int>(kGet.size())) > 0);
    const std::string last = take_out();
    REQUIRE(last.size() > missing);
    write_all(fd.get(), std::string_view(last).substr(0, last.size() - missing));
    receive();  // tickets: the handshake is over on that side too
    write_all(fd.get(), std::string_view(last).substr(last.size() - missing));
    char answer[12];
    while (SSL_read(client.get(), answer, sizeof answer) != sizeof answer) receive();
    CHECK(std::string(answer, sizeof answer) == "HTTP/1.1 200");
  }
}

TEST_CASE("openssl agrees on stun.turn, and on http/1.1, at one port", "[integration][auto]") {
  if (!has_tool("openssl", "openssl")) return;
  AutoServer server;
  const auto ask = [&](const std::string& protocols) {
    Child child({"sh", "-c",
                 "openssl s_client -connect " + server.at().to_string() + " -CAfile " +
                     server.files.certificate.path() + " -alpn " + protocols + " </dev/null"});
    child.wait();
    return child.output();
  };
  CHECK_THAT(ask("stun.turn"), Catch::Contains("ALPN protocol: stun.turn"));
  CHECK_THAT(ask("stun.turn"), Catch::Contains("Verify return code: 0 (ok)"));
  CHECK_THAT(ask("stun.nat-discovery"), Catch::Contains("ALPN protocol: stun.nat-discovery"));
  CHECK_THAT(ask("h2,http/1.1"), Catch::Contains("ALPN protocol: http/1.1"));
  CHECK_THAT(ask("imap"), Catch::Contains("No ALPN negotiated"));
}

TEST_CASE("a real https client gets all of a large page, and keeps its connection", "[integration][auto]") {
  if (!has_tool("curl", "curl")) return;
  AutoServer server;
  const std::string url = "https://" + server.at().to_string();
  const std::string options =
      "-sS -v -w 'connections: %{num_connects}\\n' --cacert " + server.files.certificate.path() + " ";
  Child child({"sh", "-c",
               "curl " + options + url + "/ " + url + "/ice-servers " + url + "/nothing --next -d x " +
                   options + url + "/"});
  CHECK(child.wait() == 0);
  CHECK_THAT(child.output(), Catch::Contains("</html>"));
  CHECK_THAT(child.output(), Catch::Contains("405 Method Not Allowed"));
  CHECK_THAT(child.output(), Catch::Contains("< HTTP/1.1 404"));
  std::string connections;  // that each request opened
  const std::string output = child.output();
  for (auto at = output.find("connections: "); at != output.npos; at = output.find("connections: ", at + 1))
    connections += output.at(at + 13);
  CHECK(connections == "1000");
  Child resumed(
      {"sh", "-c", "curl -sS --cacert " + server.files.certificate.path() + " " + url + "/ice-servers"});
  CHECK(resumed.wait() == 0);
  const std::string at = server.at().to_string();
  CHECK_THAT(resumed.output(), Catch::Contains("turn:" + at + "?transport=tcp"));
  CHECK_THAT(resumed.output(), Catch::Contains("turns:" + at + "?transport=tcp"));
}

TEST_CASE("by plain http one is sent to https, or served where signaling is plain", "[integration][auto]") {
  const auto location = [](const Endpoint& at) { return "Location: https://" + at.to_string() + "/a?b\r\n"; };
  const auto ask = [](const Endpoint& at) {
    return converse(at, "GET /a?b HTTP/1.1\r\nHost: " + at.to_string() + "\r\nConnection: close\r\n\r\n");
  };
  {
    AutoServer server;
    CHECK_THAT(ask(server.at()), Catch::StartsWith("HTTP/1.1 308") && Catch::Contains(location(server.at())));
    CHECK_THAT(converse(server.at(), "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
               Catch::StartsWith("HTTP/1.1 400"));
    CHECK_THAT(converse(server.at(), "NONSENSE\r\n\r\n"), Catch::StartsWith("HTTP/1.1 400"));
    CHECK_THAT(converse(server.at(), kGet, 1), Catch::StartsWith("HTTP/1.1 308"));
  }
  {
    // A listener that is only on loopback is no reason to serve the page to everybody without TLS.
    AutoServer server({"signaling={listen: 'http://127.0.0.1:0', access: open}"}, R"("auto://0.0.0.0:0")");
    const Endpoint at{*IpAddress::parse("127.0.0.1"), server.at().port};
    CHECK_THAT(ask(at), Catch::StartsWith("HTTP/1.1 308") && Catch::Contains(location(at)));
  }
  {
    AutoServer server({"signaling={listen: 'http://127.0.0.1:0', access: open}"});
    CHECK_THAT(converse(server.at(), kGet), Catch::StartsWith("HTTP/1.1 200 OK"));
  }
  {
    AutoServer server({kPage}, R"("auto://127.0.0.1:0")", false);
    CHECK_THAT(converse(server.at(), kGet), Catch::StartsWith("HTTP/1.1 200 OK"));
    RelayClient plain(server.at(), Transport::tcp);
    CHECK(plain.allocate() == 0);
    CHECK_FALSE(TlsProbe(server.at()).is_open());
    CHECK_THAT(
        converse(server.at(), "GET /ice-servers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        !Catch::Contains("turns:"));
  }
}

TEST_CASE("without signaling there is no page, and that is said", "[integration][auto]") {
  AutoServer server(std::vector<std::string>{});
  CHECK_THAT(converse(server.at(), kGet), Catch::StartsWith("HTTP/1.1 404 Not Found"));
  TlsProbe page(server.at(), {.protocols = "\x08http/1.1"});
  const std::string told = page.read_all();
  CHECK_THAT(told, Catch::StartsWith("HTTP/1.1 404 Not Found"));
  const std::size_t body = told.find("\r\n\r\n") + 4;
  CHECK_THAT(told, Catch::Contains("\r\nContent-Length: " + std::to_string(told.size() - body) + "\r\n"));
  TlsProbe other(server.at());
  REQUIRE(other.write(kGet));
  CHECK_THAT(other.read_all(), Catch::StartsWith("HTTP/1.1 404 Not Found"));
  RelayClient client(server.at(), Transport::tls);
  CHECK(client.allocate() == 0);
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("on a port for everything, other data and silent connections are closed", "[integration][auto]") {
  AutoServer server({kPage, "limits.connect_timeout=3s", "workers=1"});
  for (const std::string& bytes :
       {"\xFF"s, "\x80\1\2\3"s, "hello"s, "\x16\2\1\1\1\1\1\1"s, "\x17\3\3\1\1"s}) {
    CHECK(converse(server.at(), bytes).size() < 10);  // an alert, at most
  }
  std::vector<net::Fd> begun;
  for (const std::string& bytes : {""s, "\x16\3\1"s, kBinding.substr(0, 19)}) {
    begun.push_back(connect_to(server.at()));
    write_all(begun.back().get(), bytes);
  }
  TlsProbe silent(server.at());
  REQUIRE(silent.is_open());
  for (const net::Fd& fd : begun) CHECK(read_all(fd.get()).empty());
  CHECK(silent.read_all().empty());
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("timed_out=4"));
}

TEST_CASE("hundreds of pages are fetched while a call goes on at the same port", "[integration][auto]") {
  AutoServer server({"signaling={listen: [], access: open, connections_per_address: 0}",
                     "limits.idle_connections_per_address=20"});
  RelayClient caller(server.at(), Transport::tls);
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(caller.allocate() == 0);
  REQUIRE(caller.bind(0x4000, peer.local()) == 0);
  std::vector<std::unique_ptr<TlsProbe>> open;
  const auto ask_each = [&] {
    for (const auto& page : open) {
      REQUIRE(page->write("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
      CHECK_THAT(page->read(), Catch::StartsWith("HTTP/1.1 200"));
    }
  };
  for (int i = 0; i < 150; ++i) {
    // They wait like WebSockets, and do not count as connections without an allocation.
    open.push_back(std::make_unique<TlsProbe>(server.at()));
    REQUIRE(open.back()->write("GET /ice-servers HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    CHECK_THAT(open.back()->read(), Catch::StartsWith("HTTP/1.1 200"));
    caller.send_on_channel(0x4000, octets(std::to_string(i)));
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    CHECK((datagram->bytes == octets(std::to_string(i))));
    // A page that asks for nothing within half a minute is closed, and a busy machine needs as long for all.
    if (i % 50 == 49) ask_each();
  }
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("refused=0"));
}

TEST_CASE("what is over the limits of HTTP is refused at the port for everything too",
          "[integration][auto]") {
  AutoServer server({"signaling={listen: 'http://127.0.0.1:0', access: open, connections_per_address: 2}"});
  std::vector<net::Fd> open;
  for (int i = 0; i < 2; ++i) {
    open.push_back(connect_to(server.at()));
    write_all(open.back().get(), "GET /ice-servers HTTP/1.1\r\nHost: localhost\r\n\r\n");
    char byte = 0;
    CHECK(recv(open.back().get(), &byte, 1, 0) == 1);
  }
  CHECK_THAT(converse(server.at(), kGet), Catch::StartsWith("HTTP/1.1 429"));
}

// --- PROXY protocol

namespace {

const std::string kV1 = "PROXY TCP4 198.51.100.7 203.0.113.9 55555 3478\r\n";

std::string v2(char command, char family, const std::string& content) {
  return "\r\n\r\n\0\r\nQUIT\n"s + command + family + static_cast<char>(content.size() >> 8) +
         static_cast<char>(content.size()) + content;
}

// Returns the client's port and address in the XOR-MAPPED-ADDRESS of an answer without other attributes.
std::string mapped(const std::string& answer) {
  const auto message = stun::MessageView::parse(as_bytes(answer));
  if (!message) return "nothing";
  const auto value = message->find(stun::AttributeType::xor_mapped_address);
  const auto address = value ? stun::decode_xor_address(*value, message->transaction_id()) : std::nullopt;
  return address ? address->to_string() : "no address";
}

}  // namespace

TEST_CASE("behind a load balancer, clients are whom it says they are", "[integration][proxy]") {
  AutoServer server({kPage}, R"({url: "tcp://127.0.0.1:0", proxy_protocol: [127.0.0.1]}, )"
                             R"({url: "tls://127.0.0.1:0", proxy_protocol: [127.0.0.0/8]}, )"
                             R"({url: "auto://127.0.0.1:0", proxy_protocol: [10.0.0.0/8, 127.0.0.1/32]})");
  const std::string v2_v6 = v2(0x21, 0x21,
                               "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\7"s + std::string(16, '\1') +
                                   "\x12\x34\x0D\x96"s + "\4\0\3xyz"s);
  const auto binding_behind = [&](std::size_t listener, const std::string& header, std::size_t part) {
    const net::Fd fd = connect_to(server.at(listener));
    const std::string bytes = header + kBinding;
    for (std::size_t at = 0; at < bytes.size(); at += part) write_all(fd.get(), bytes.substr(at, part));
    return mapped(read_until(fd.get(), [](const std::string& all) {
      return all.size() >= 20 && all.size() >= 20U + load_u16(as_bytes(all).data() + 2);
    }));
  };
  for (const std::size_t listener : {0, 2}) {
    for (const std::size_t part : {1, 7, 1000}) {
      CAPTURE(listener, part);
      CHECK(binding_behind(listener, kV1, part) == "198.51.100.7:55555");
      CHECK(binding_behind(listener, v2_v6, part) == "[2001:db8::7]:4660");
      CHECK(binding_behind(listener, v2(0x20, 0, ""), part).starts_with("127.0.0.1:"));
      CHECK(binding_behind(listener, "PROXY UNKNOWN\r\n", part).starts_with("127.0.0.1:"));
    }
  }
  // The same holds for TLS and for the page.
  for (const std::size_t listener : {1, 2}) {
    net::Fd fd = connect_to(server.at(listener));
    write_all(fd.get(), kV1);
    TlsProbe probe(std::move(fd), {});
    REQUIRE(probe.is_open());
    REQUIRE(probe.write(kBinding));
    CHECK(mapped(probe.read()) == "198.51.100.7:55555");
  }
  net::Fd fd = connect_to(server.at(2));
  write_all(fd.get(), kV1);
  TlsProbe page(std::move(fd), {.protocols = "\x08http/1.1"});
  REQUIRE(page.write(kGet));
  CHECK_THAT(page.read_all(), Catch::StartsWith("HTTP/1.1 200"));
  CHECK_THAT(converse(server.at(2), kV1 + kGet), Catch::StartsWith("HTTP/1.1 308"));

  RelayClient client(server.at(0), Transport::tcp);
  client.send_raw(as_bytes(kV1));
  REQUIRE(client.allocate() == 0);
  CHECK(client.mapped().value() == Endpoint::parse("198.51.100.7:55555").value());
  CHECK(client.refresh(600s) == 0);
  CHECK(server.daemon.wait_for_log("client=198.51.100.7:55555"));
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("a connection that is not from a load balancer, or has no valid header, is closed",
          "[integration][proxy]") {
  AutoServer server({"limits.connect_timeout=3s"},
                    R"({url: "tcp://127.0.0.1:0", proxy_protocol: [127.0.0.2]})");
  const auto answer = [&](const char* from, const std::string& bytes) {
    const net::Fd fd = connect_to(server.at(), Endpoint::parse(from));
    write_all(fd.get(), bytes);
    shutdown(fd.get(), SHUT_WR);
    return read_all(fd.get());
  };
  CHECK(is_binding_success(answer("127.0.0.2:0", kV1 + kBinding)));
  CHECK(answer("127.0.0.1:0", kV1 + kBinding).empty());
  CHECK(answer("127.0.0.2:0", kBinding).empty());
  CHECK(answer("127.0.0.2:0", "").empty());
  CHECK(answer("127.0.0.2:0", kV1).empty());
  CHECK(answer("127.0.0.2:0", "PROXY TCP4 1.2.3.4\r\n" + kBinding).empty());
  CHECK(answer("127.0.0.2:0", "PROXY UNKNOWN " + std::string(200, 'x')).empty());
  CHECK(answer("127.0.0.2:0", v2(0x21, 0x11, std::string(5000, 'x')) + kBinding).empty());
  CHECK(answer("127.0.0.2:0", v2(0x2F, 0x11, std::string(12, 'x')) + kBinding).empty());
  CHECK(answer("127.0.0.2:0", kV1 + kV1 + kBinding).empty());
  // One header does not end, and another never begins.
  const net::Fd begun = connect_to(server.at(), Endpoint::parse("127.0.0.2:0"));
  write_all(begun.get(), kV1.substr(0, 20));
  const net::Fd silent = connect_to(server.at(), Endpoint::parse("127.0.0.2:0"));
  CHECK(read_all(begun.get()).empty());
  CHECK(read_all(silent.get()).empty());
  CHECK(is_binding_success(answer("127.0.0.2:0", kV1 + kBinding)));
}

TEST_CASE("behind a load balancer, limits count for its clients, each by itself", "[integration][proxy]") {
  AutoServer server({"limits.idle_connections_per_address=2"},
                    R"({url: "tcp://127.0.0.1:0", proxy_protocol: [127.0.0.1]})");
  const auto connect_for = [&](int client) {
    net::Fd fd = connect_to(server.at());
    write_all(fd.get(),
              "PROXY TCP4 198.51.100." + std::to_string(client) + " 203.0.113.9 1 2\r\n" + kBinding);
    return fd;
  };
  const auto is_answered = [](const net::Fd& fd) {
    char byte = 0;
    return recv(fd.get(), &byte, 1, 0) == 1;
  };
  std::vector<net::Fd> open;
  for (int client = 1; client < 20; ++client) {
    for (int i = 0; i < 2; ++i) {
      open.push_back(connect_for(client));
      CHECK(is_answered(open.back()));
    }
  }
  CHECK_FALSE(is_answered(connect_for(1)));
  CHECK_FALSE(is_answered(connect_for(19)));
  open.erase(open.begin());
  // Its place is free when the daemon has noticed its end.
  bool answered = false;
  for (int i = 0; i < 200 && !answered; ++i) answered = is_answered(connect_for(1));
  CHECK(answered);
  CHECK(server.daemon.stop() == 0);
}
