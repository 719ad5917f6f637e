// Real clients by TLS and DTLS send thousands of records without data. What the daemon stores for them stays
// bounded, and all others are served.
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/relay_client.hpp"
#include "support/sealed_records.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kTls = 0;
constexpr std::size_t kDtls = 1;

struct RecordsServer : TlsDaemon {
  RecordsServer()
      : TlsDaemon(
            {R"(listen=["tls://127.0.0.1:0", "dtls://127.0.0.1:0", "udp://127.0.0.1:0"])", "workers=1"}) {}
};

// A client by DTLS whose datagrams are made here after its handshake.
struct DtlsByHand {
  explicit DtlsByHand(const Endpoint& server) : socket(loopback(Family::ipv4)) {
    socket.connect(server);
    REQUIRE(SSL_set_cipher_list(dtls.ssl(), kSealedCipher) == 1);
    dtls.start();
    transmit();
  }
  void transmit() {
    dtls.transmit([&](Bytes datagram) { send(datagram); });
  }
  void send(Bytes datagram) { ::send(socket.fd(), datagram.data(), datagram.size(), 0); }
  bool hear() {
    const auto datagram = socket.receive(10s);
    if (datagram) dtls.receive(datagram->bytes, [](Bytes) {});
    return datagram.has_value();
  }
  void finish() {
    for (transmit(); !dtls.is_established(); transmit()) REQUIRE(hear());
  }

  client::UdpSocket socket;
  client::DtlsClient dtls;
};

struct Kind {
  std::uint8_t type;
  Octets text;
};
const std::vector<Kind> kKinds{
    {SealedRecords::kHandshake, {1}},                                              // no head of a message
    {SealedRecords::kHandshake, {}},                                               // nothing at all
    {SealedRecords::kHandshake, {0, 0, 0, 0}},                                     // TLS's HelloRequest
    {SealedRecords::kHandshake, SealedRecords::fragment(0, 0, 3, {})},             // and DTLS's
    {SealedRecords::kHandshake, SealedRecords::fragment(1, 40, 3, Octets(40))},    // a ClientHello
    {SealedRecords::kHandshake, SealedRecords::fragment(1, 16000, 9, Octets(1))},  // a part of one
    {SealedRecords::kAlert, {1, 90}},                                              // user_canceled
    {SealedRecords::kData, {}},
};
constexpr int kTimes = 20;

// Lets the daemon read what comes meanwhile in one pass.
template <class Send>
void send_in_one_pass(pid_t daemon, Send&& send) {
  REQUIRE(kill(daemon, SIGSTOP) == 0);
  siginfo_t stopped{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(daemon), &stopped, WSTOPPED | WNOWAIT) == 0);
  send();
  REQUIRE(kill(daemon, SIGCONT) == 0);
}

constexpr std::size_t kMaxGrowth = 8 << 10;  // KiB, for all that the allocator does

}  // namespace

TEST_CASE("thousands of DTLS records that bring no data hurt nobody", "[integration][hostile]") {
  RecordsServer server;
  Caller caller(server.daemon.listener(kDtls), Transport::dtls);
  caller.talk();
  const std::size_t before = resident_kib(server.daemon.pid());
  for (const Kind& kind : kKinds) {
    CAPTURE(int{kind.type}, kind.text.size());
    DtlsByHand client(server.daemon.listener(kDtls));
    client.finish();
    SealedRecords sealed(client.dtls.ssl());
    client.send(sealed.make(SealedRecords::kData, octets("one record of data")));
    for (int i = 0; i < kTimes; ++i) client.send(sealed.fill(65'000, kind.type, kind.text));
    caller.talk();
  }
  const std::size_t after = resident_kib(server.daemon.pid());
  INFO("resident: " << before << " → " << after << " KiB");
  if (!has_sanitizer(server.daemon.pid())) CHECK(after < before + kMaxGrowth);
  CHECK(server.daemon.stop() == 0);
}

// Each record of one octet brings an alert of 39. Once, room for answers was checked before each datagram
// alone, and these four wrote 599 octets past the end of 256 KiB. AddressSanitizer and valgrind see that.
TEST_CASE("answers to one pass of DTLS records stay within the buffer", "[integration][hostile]") {
  constexpr std::size_t kDatagrams[] = {65'000, 65'000, 61'210, 65'400};
  RecordsServer server;
  Caller caller(server.daemon.listener(kDtls), Transport::dtls);
  DtlsByHand client(server.daemon.listener(kDtls));
  client.finish();
  SealedRecords sealed(client.dtls.ssl());
  client.send(sealed.make(SealedRecords::kData, octets("one record of data")));
  for (int i = 0; i < 3; ++i) {
    caller.talk();  // then the daemon has read what was sent before
    send_in_one_pass(server.daemon.pid(), [&] {
      for (const std::size_t size : kDatagrams)
        client.send(sealed.fill(size, SealedRecords::kHandshake, Octets{SSL3_MT_CLIENT_HELLO}));
    });
  }
  caller.talk();
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("forged records in the middle of a DTLS handshake do not end it", "[integration][hostile]") {
  RecordsServer server;
  const std::size_t before = resident_kib(server.daemon.pid());
  DtlsByHand client(server.daemon.listener(kDtls));
  REQUIRE(client.hear());  // the cookie
  client.transmit();
  REQUIRE(client.hear());  // a part of the server's flight at least
  Octets forged;
  for (std::uint8_t number = 0; number < 200; ++number) {
    const Octets record{SealedRecords::kHandshake, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, number, 0, 1, 7};
    forged.insert(forged.end(), record.begin(), record.end());
  }
  for (int i = 0; i < kTimes; ++i) client.send(forged);
  client.finish();
  client.dtls.send(octets("hello"));
  client.transmit();
  const std::size_t after = resident_kib(server.daemon.pid());
  INFO("resident: " << before << " → " << after << " KiB");
  if (!has_sanitizer(server.daemon.pid())) CHECK(after < before + 1024);
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains(" established=1 "));
  CHECK_THAT(server.daemon.log(), !Catch::Contains(" early_dropped=0 "));
}

TEST_CASE("thousands of TLS records that bring no data hurt nobody", "[integration][hostile]") {
  RecordsServer server;
  Caller caller(server.daemon.listener(kTls), Transport::tls);
  caller.talk();
  const std::size_t before = resident_kib(server.daemon.pid());
  for (const Kind& kind : kKinds) {
    CAPTURE(int{kind.type}, kind.text.size());
    TlsProbe client(server.daemon.listener(kTls), {.version = TLS1_2_VERSION, .ciphers = kSealedCipher});
    REQUIRE(client.is_open());
    SealedRecords sealed(client.ssl());
    for (int i = 0; i < kTimes; ++i) {
      const Octets records = sealed.fill(65'000, kind.type, kind.text);
      ::send(client.fd(), records.data(), records.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    caller.talk();
  }
  // A client asks for new keys thousands of times and does not read the answers.
  TlsProbe client(server.daemon.listener(kTls), {.version = TLS1_3_VERSION});
  REQUIRE(client.is_open());
  for (int i = 0; i < 20'000; ++i) {
    if (SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(client.ssl()) != 1)
      break;
    if (i % 1000 == 0) caller.talk();
  }
  caller.talk();
  const std::size_t after = resident_kib(server.daemon.pid());
  INFO("resident: " << before << " → " << after << " KiB");
  if (!has_sanitizer(server.daemon.pid())) CHECK(after < before + kMaxGrowth);
  CHECK(server.daemon.stop() == 0);
}
