// Clients by TCP and TLS that are hostile, or end in the middle of a message: what they cost, and that others
// notice nothing.
#include <sys/resource.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/relay_client.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

struct TlsServer : TlsDaemon {
  explicit TlsServer(const std::vector<std::string>& set = {},
                     const std::string& listen = "tls://127.0.0.1:0")
      : TlsDaemon(joined({"listen=[\"" + listen + "\"]"}, set)) {}

  Endpoint at() const { return daemon.listener(0); }
};

void allow_descriptors(rlim_t count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= count) return;
  limit.rlim_cur = std::min(count, limit.rlim_max);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

void reset(net::Fd fd) {
  const linger now{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

// There are 200 from each of ten addresses, which is the limit for one address.
TEST_CASE("two thousand TLS handshakes that do not go on cost little and end in time",
          "[integration][hostile]") {
  const std::string listen = GENERATE("tls://127.0.0.1:0"s, "auto://127.0.0.1:0"s);
  CAPTURE(listen);
  allow_descriptors(4096);
  TlsServer server({"limits.connect_timeout=3s"}, listen);
  Caller caller(server.at(), Transport::tls);
  caller.talk();
  const std::size_t before = resident_kib(server.daemon.pid());
  const std::string hello = client_hello();
  std::vector<net::Fd> open;
  for (int i = 0; i < 2000; ++i) {
    const Endpoint from{IpAddress::v4(0x7F000101 + static_cast<std::uint32_t>(i % 10)), 0, 0};
    open.push_back(connect_to(server.at(), from));
    // Each sends a different part: nothing, one octet, a header, or nearly everything.
    write_all(open.back().get(),
              std::string_view(hello).substr(0, static_cast<std::size_t>(i) % hello.size()));
    if (i % 50 == 0) caller.talk();
  }
  caller.talk();
  const std::size_t after = resident_kib(server.daemon.pid());
  INFO("resident: " << before << " → " << after << " KiB");
  // TLS has buffers of 45 KiB in a handshake. A sanitizer needs several times as much.
  if (!has_sanitizer(server.daemon.pid())) CHECK(after < before + std::size_t{2000} * 60);
  // There is still a place for other clients.
  CHECK(RelayClient(server.at(), Transport::tls).allocate() == 0);
  for (const net::Fd& fd : open) CHECK(read_all(fd.get()).size() < 10);
  open.clear();
  caller.talk();
  CHECK(caller.refresh(600s) == 0);
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("timed_out=2000"));
}

TEST_CASE("handshakes that are broken off, one after another, leave nothing behind",
          "[integration][hostile]") {
  constexpr std::size_t kPlaces = 8;
  TlsServer server({"limits.idle_connections_per_address=" + std::to_string(kPlaces)});
  Caller caller(server.at(), Transport::tls);
  const std::string hello = client_hello();
  // A handshake that has begun, from one address. Those that came before may still be taken for open, and
  // then this one is refused.
  const auto begin = [&] {
    net::Fd fd = connect_to(server.at(), Endpoint::parse("127.0.0.77:0"));
    write_all(fd.get(), hello);
    char byte = 0;
    return recv(fd.get(), &byte, 1, 0) == 1 ? std::move(fd) : net::Fd();
  };
  std::size_t begun = 0;
  for (int i = 0; i < 500; ++i) {
    net::Fd fd = begin();
    if (!fd) continue;
    ++begun;
    if (i % 2 == 0) reset(std::move(fd));
  }
  CHECK(begun > 2 * kPlaces);
  caller.talk();
  std::vector<net::Fd> open;
  for (int tries = 0; open.size() < kPlaces && tries < 1000; ++tries) {
    if (net::Fd fd = begin()) open.push_back(std::move(fd));
  }
  CHECK(open.size() == kPlaces);
  const net::Fd fd = connect_to(server.at(), Endpoint::parse("127.0.0.78:0"));
  write_all(fd.get(), "no TLS at all");
  CHECK(read_all(fd.get()).size() < 10);
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("TLS 1.2 is not renegotiated", "[integration][hostile]") {
  TlsServer server({"workers=1"});
  Caller caller(server.at(), Transport::tls);
  for (int i = 0; i < 20; ++i) {
    TlsProbe probe(server.at(), {.version = TLS1_2_VERSION});
    REQUIRE(probe.is_open());
    REQUIRE(SSL_renegotiate(probe.ssl()) == 1);
    CHECK(SSL_do_handshake(probe.ssl()) != 1);
    caller.talk();
  }
  // It does this many times on one connection, without waiting for an answer.
  TlsProbe rude(server.at(), {.version = TLS1_2_VERSION});
  SSL_renegotiate(rude.ssl());
  SSL_do_handshake(rude.ssl());
  CHECK(rude.read_all().empty());
  caller.talk();
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("a TLS client that dies in the middle of a record frees what it had", "[integration][hostile]") {
  TlsServer server({"limits.allocations_per_user=2", relay_on_ports("20110-20111")});
  for (const std::string& part :
       {"\x17"s, "\x17\3\3"s, "\x17\3\3\1\0"s, "\x17\3\3\1\0some of it"s, "\x17\3\3\0\4abcd"s}) {
    RelayClient client(server.at(), Transport::tls);
    REQUIRE(client.allocate() == 0);
    const std::string gone = "allocation deleted client=" + client.local().to_string() + " ";
    write_all(client.stream().fd(), part);
    const linger now{1, 0};
    setsockopt(client.stream().fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    shutdown(client.stream().fd(), SHUT_RD);
    client.disconnect();
    REQUIRE(server.daemon.wait_for_log(gone));
  }
  CHECK(RelayClient(server.at(), Transport::tls).allocate() == 0);
  CHECK(server.daemon.stop() == 0);
}
