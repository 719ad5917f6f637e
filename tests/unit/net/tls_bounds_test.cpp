// Tests how much memory a stranger can make a TLS or DTLS endpoint keep. OpenSSL's memory is counted. Each of
// these inputs once made it grow without end, or read beyond the end of a buffer.
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "client/dtls.hpp"
#include "net/dtls.hpp"
#include "net/tls_endpoint.hpp"
#include "support/certificate.hpp"
#include "support/scripted_random.hpp"
#include "support/sealed_records.hpp"
#include "support/temporary_folder.hpp"

namespace turnpike::net {
namespace {

using Octets = std::vector<std::uint8_t>;
using test::SealedRecords;

// --- OpenSSL's memory: each block begins with its size

constexpr std::size_t kFront = 16;
std::size_t allocated = 0;
std::size_t peak = 0;  // since the last association began

void* count_malloc(std::size_t size, const char*, int) {
  auto* block = static_cast<std::uint8_t*>(std::malloc(size + kFront));
  if (!block) return nullptr;
  std::memcpy(block, &size, sizeof size);
  allocated += size;
  peak = std::max(peak, allocated);
  return block + kFront;
}
void count_free(void* pointer, const char*, int) {
  if (!pointer) return;
  std::uint8_t* block = static_cast<std::uint8_t*>(pointer) - kFront;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof size);
  allocated -= size;
  std::free(block);
}
void* count_realloc(void* pointer, std::size_t size, const char* file, int line) {
  if (!pointer) return count_malloc(size, file, line);
  std::size_t before = 0;
  std::memcpy(&before, static_cast<std::uint8_t*>(pointer) - kFront, sizeof before);
  void* moved = count_malloc(size, file, line);
  if (!moved) return nullptr;
  std::memcpy(moved, pointer, std::min(size, before));
  count_free(pointer, file, line);
  return moved;
}
// This must run before OpenSSL has allocated anything.
const bool counted = CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) == 1;

constexpr std::size_t kMaxHalfOpen = 256 << 10;

struct Contexts {
  Contexts() {
    const test::TemporaryFolder folder;
    const test::Certificate made = test::make_certificate();
    std::string chain;
    for (int i = 0; i < 8; ++i) chain += made.certificate;
    const std::string certificate = folder.write("certificate.pem", chain);
    const std::string key = folder.write("key.pem", made.private_key);
    dtls.emplace(certificate, key, TlsKind::dtls);
    tls.emplace(certificate, key, TlsKind::tls);
  }
  std::optional<TlsContext> dtls;
  std::optional<TlsContext> tls;
};
const Contexts& contexts() {
  static const Contexts made;
  return made;
}

// --- DTLS

struct HalfOpen {
  HalfOpen() { REQUIRE(SSL_set_cipher_list(client.ssl(), test::kSealedCipher) == 1); }

  std::vector<Octets> from_client() {
    std::vector<Octets> datagrams;
    client.transmit([&](Bytes datagram) { datagrams.emplace_back(datagram.begin(), datagram.end()); });
    return datagrams;
  }
  void to_client() {
    for (const Bytes datagram : buffers.datagrams()) {
      client.receive(datagram, [&](Bytes message) { got.emplace_back(message.begin(), message.end()); });
    }
    buffers.reset();
  }
  void to_server(Octets datagram) {
    const auto hello = parse_dtls_hello(datagram);
    if (hello && !association) {
      before = peak = allocated;
      association.emplace(*contexts().dtls, *hello, buffers);
      (void)association->start(datagram);
      return;
    }
    if (!association) return;
    std::vector<Bytes> views;
    ended = association->receive(datagram, views) == DtlsAssociation::State::ended || ended;
    for (const Bytes view : views) heard.emplace_back(view.begin(), view.end());
  }
  void to_server(const std::vector<Octets>& datagrams) {
    for (const Octets& datagram : datagrams) to_server(datagram);
  }
  // Runs the handshake until the client has sent its last flight, which is returned and not delivered.
  std::vector<Octets> shake_hands_but_for_the_end() {
    client.start();
    for (const Octets& datagram : from_client()) {
      const auto hello = parse_dtls_hello(datagram);
      REQUIRE(hello);
      const auto verify = make_hello_verify(*hello, cookies.make({}, {}, *hello, {}));
      client.receive(verify, [](Bytes) {});
    }
    to_server(from_client());
    to_client();
    return from_client();
  }
  void shake_hands() {
    to_server(shake_hands_but_for_the_end());
    to_client();
    REQUIRE(client.is_established());
    REQUIRE(association->is_established());
  }
  void expect_working() {
    heard.clear();
    client.send(Octets{1, 2, 3});
    to_server(from_client());
    CHECK((heard == std::vector<Octets>{{1, 2, 3}}));
  }
  std::size_t held() const { return allocated - before; }

  crypto::Digester digester;
  test::ScriptedRandom random;
  DtlsCookies cookies{digester, random};
  DtlsBuffers buffers;
  client::DtlsClient client{"localhost"};
  std::optional<DtlsAssociation> association;
  std::size_t before = 0;
  bool ended = false;
  std::vector<Octets> heard;
  std::vector<Octets> got;
};

// Adds a record of one octet under keys that its sender does not have.
void add_forged(std::uint8_t type, std::uint64_t number, Octets& to, std::size_t size = 1) {
  const std::size_t at = to.size();
  to.resize(at + 13 + size, 7);
  to[at] = type;
  to[at + 1] = 0xFE;
  to[at + 2] = 0xFD;
  store_u64(&to[at + 3], std::uint64_t{1} << 48 | number);
  store_u16(&to[at + 11], static_cast<std::uint16_t>(size));
}

TEST_CASE("early records of DTLS are bounded, and the handshake goes on", "[dtls][bounds]") {
  REQUIRE(counted);
  for (const std::uint8_t type : {SealedRecords::kHandshake, SealedRecords::kData, SealedRecords::kAlert}) {
    CAPTURE(int{type});
    HalfOpen ends;
    const auto last = ends.shake_hands_but_for_the_end();
    const std::size_t held = ends.held();
    for (std::uint64_t i = 0; i < 300; i += 30) {
      Octets forged;
      for (std::uint64_t number = i; number < i + 30; ++number) add_forged(type, number, forged);
      ends.to_server(forged);
    }
    CHECK(ends.held() == held);
    CHECK(ends.buffers.counters.early_dropped == 300 - DtlsAssociation::kMaxEarly);
    ends.to_server(last);
    ends.to_client();
    REQUIRE(ends.client.is_established());
    ends.expect_working();
  }
}

// Returns a record of epoch 0 whose body consists of records. When its version is wrong or it is too long,
// OpenSSL skips only its header, and would then read the body as separate records.
Octets wrap(const Octets& records, std::uint8_t type, std::uint16_t version) {
  Octets wrapped(13);
  wrapped[0] = type;
  store_u16(&wrapped[1], version);
  store_u16(&wrapped[11], static_cast<std::uint16_t>(records.size()));
  wrapped.insert(wrapped.end(), records.begin(), records.end());
  return wrapped;
}

constexpr std::uint8_t kChangeCipherSpec = 20;

TEST_CASE("records within a record that OpenSSL would leave out are left out as well", "[dtls][bounds]") {
  REQUIRE(counted);
  HalfOpen ends;
  const auto last = ends.shake_hands_but_for_the_end();
  const std::size_t held = ends.held();
  for (const std::uint16_t version : {0x0100, 0xFEFF, 0xFE00, 0xFEFD}) {
    Octets forged;
    const std::size_t count = version == 0xFEFD ? 1430 : 200;  // 20,020 octets: longer than a record may be
    for (std::uint64_t number = 0; number < count; ++number)
      add_forged(SealedRecords::kHandshake, number, forged);
    ends.to_server(wrap(forged, kChangeCipherSpec, version));
  }
  CHECK(ends.held() == held);
  CHECK(ends.buffers.counters.implausible == 4);
  ends.to_server(last);
  ends.to_client();
  REQUIRE(ends.client.is_established());
  for (const std::uint16_t version : {0x0100, 0xFEFF, 0xFEFD}) {
    Octets forged;  // too short for its nonce and its tag
    add_forged(SealedRecords::kData, 77, forged);
    if (version == 0xFEFD) forged.resize(20'000);
    ends.to_server(wrap(forged, SealedRecords::kData, version));
    ends.expect_working();
  }
}

// Returns a record in clear text, as they are before the change of keys.
Octets in_clear_text(std::uint8_t number, const Octets& text) {
  Octets record{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 1, number, 0, static_cast<std::uint8_t>(text.size())};
  record.insert(record.end(), text.begin(), text.end());
  return record;
}

TEST_CASE("a half-open DTLS association holds little, whatever it is sent", "[dtls][bounds]") {
  HalfOpen().shake_hands();  // first of all OpenSSL makes what it keeps for all connections
  HalfOpen ends;
  const auto last = ends.shake_hands_but_for_the_end();
  const auto expect_little = [&] {
    INFO("held: " << ends.held());
    CHECK(ends.held() <= kMaxHalfOpen);
  };
  // These are pieces of handshake messages in clear text, each of which claims to be long.
  for (std::uint16_t number = 0; number < 40; ++number) {
    for (const std::uint32_t size : {8000U, 16000U, 0xFFFFFFU}) {
      const Octets text = SealedRecords::fragment(16, size, number, Octets{1});
      ends.to_server(in_clear_text(static_cast<std::uint8_t>(number), text));
    }
  }
  expect_little();
  // These are early records of the greatest length.
  for (std::uint64_t number = 0; number < 200; ++number) {
    Octets forged;
    add_forged(SealedRecords::kHandshake, number, forged, 16000);
    ends.to_server(forged);
  }
  expect_little();
  // After the change of keys come records under the new keys, but never the end of the handshake.
  for (const Octets& datagram : last) {
    Octets kept;
    for (std::size_t at = 0; at + 13 <= datagram.size();) {
      const std::size_t size = 13U + load_u16(&datagram[at + 11]);
      if (load_u16(&datagram[at + 3]) == 0)
        kept.insert(kept.end(), datagram.begin() + static_cast<std::ptrdiff_t>(at),
                    datagram.begin() + static_cast<std::ptrdiff_t>(at + size));
      at += size;
    }
    ends.to_server(kept);
  }
  SealedRecords sealed(ends.client.ssl(), 0);
  for (std::uint16_t number = 0; number < 60; ++number) {
    ends.to_server(
        sealed.make(SealedRecords::kHandshake, SealedRecords::fragment(20, 16000, number, Octets{1})));
    ends.to_server(sealed.make(SealedRecords::kData, Octets(1000)));
  }
  expect_little();
  CHECK(peak < ends.before + 2 * kMaxHalfOpen);
}

TEST_CASE("of a handshake in clear text, only the next message and one of usual length reach OpenSSL",
          "[dtls][bounds]") {
  constexpr std::uint8_t kKeyExchange = 16;
  HalfOpen ends;
  ends.shake_hands_but_for_the_end();
  const auto refused = [&](std::uint32_t size, std::uint16_t message_number) {
    const std::uint64_t before = ends.buffers.counters.implausible;
    ends.to_server(in_clear_text(1, SealedRecords::fragment(kKeyExchange, size, message_number, Octets{1})));
    return ends.buffers.counters.implausible - before;
  };
  CHECK(refused((4 << 10) + 1, 2) == 1);  // the hello with the cookie was message 1
  CHECK(refused(66, 3) == 1);
  CHECK(refused(66, 2) == 0);
}

TEST_CASE("thousands of records in one pass that are answered each stay within the buffer",
          "[dtls][bounds]") {
  HalfOpen ends;
  ends.shake_hands();
  ends.client.send(Octets{1});
  ends.to_server(ends.from_client());
  SealedRecords sealed(ends.client.ssl(), 2);
  const Octets hello = SealedRecords::fragment(1, 40, 3, Octets(40));
  const Octets request = SealedRecords::fragment(0, 0, 3, {});
  const std::pair<std::uint8_t, Octets> kinds[] = {
      {SealedRecords::kHandshake, {1}},  // what there is no whole head of
      {SealedRecords::kHandshake, {}},
      {SealedRecords::kHandshake, request},
      {SealedRecords::kHandshake, hello},
      {SealedRecords::kAlert, {1, 90}},
      {SealedRecords::kAlert, {1}},
      {SealedRecords::kData, {}},
      {20, {1}},
      {99, {1}},
  };
  const std::size_t held = ends.held();
  for (const auto& [type, text] : kinds) {
    CAPTURE(int{type}, text.size());
    for (int i = 0; i < 8; ++i) ends.to_server(sealed.fill(65'000, type, text));
    std::size_t size = 0;
    for (const Bytes datagram : ends.buffers.datagrams()) size += datagram.size();
    CHECK(size <= 256U << 10);
    CHECK(ends.held() <= held + kMaxHalfOpen);
    ends.buffers.reset();
  }
}

TEST_CASE("a client that begins a new handshake and does not continue it keeps its association",
          "[dtls][bounds]") {
  HalfOpen ends;
  ends.shake_hands();
  SealedRecords sealed(ends.client.ssl());
  ends.to_server(sealed.make(SealedRecords::kHandshake, SealedRecords::fragment(1, 16000, 5, Octets{1})));
  CHECK(ends.ended);
}

TEST_CASE("an association that rests holds less, and wakes up", "[dtls][bounds]") {
  HalfOpen ends;
  ends.shake_hands();
  ends.expect_working();
  const std::size_t held = ends.held();
  ends.association->free_buffers();
  CHECK(ends.association->is_resting());
  // OpenSSL 3.2 and later keep the buffers of DTLS in spite of SSL_free_buffers().
  if (OpenSSL_version_num() < 0x30200000UL) CHECK(ends.held() + (32U << 10) <= held);
  ends.expect_working();
  CHECK_FALSE(ends.association->is_resting());
  ends.association->free_buffers();
  ends.association->send(Octets{4, 5}, {}, 0);
  ends.to_client();
  CHECK((ends.got == std::vector<Octets>{{4, 5}}));
  ends.association->free_buffers();
  ends.association->send_close_notify();
  ends.to_client();
  CHECK(ends.client.closed());
  CHECK(ends.client.problem().empty());
}

// --- TLS

struct TlsEnds {
  explicit TlsEnds(int version) : context(SSL_CTX_new(TLS_client_method())), client(SSL_new(context.get())) {
    SSL_set_min_proto_version(client.get(), version);
    SSL_set_max_proto_version(client.get(), version);
    SSL_set_cipher_list(client.get(), test::kSealedCipher);
    SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client.get());
  }
  Octets from_client() {
    Octets all(static_cast<std::size_t>(BIO_pending(SSL_get_wbio(client.get()))));
    if (!all.empty()) BIO_read(SSL_get_wbio(client.get()), all.data(), static_cast<int>(all.size()));
    return all;
  }
  void to_server(Bytes wire) {
    if (server.can_receive()) received += server.receive(wire, room, out);
  }
  void shake_hands() {
    for (int i = 0; i < 4; ++i) {
      SSL_do_handshake(client.get());
      to_server(from_client());
      BIO_write(SSL_get_rbio(client.get()), out.bytes().data(), static_cast<int>(out.size()));
      out.clear();
    }
    REQUIRE(server.was_established());
  }

  std::unique_ptr<SSL_CTX, TlsDeleter> context;
  TlsSession client;
  std::size_t before = allocated;
  TlsEndpoint server{contexts().tls->new_session()};
  WireBuffer out{WireBuffer::Kind::stream, 256 << 10};
  Octets room = Octets(128 << 10);
  std::size_t received = 0;
};

TEST_CASE("thousands of records of TLS 1.2 that bring no data leave it bounded", "[tls][bounds]") {
  const std::pair<std::uint8_t, Octets> kinds[] = {
      {SealedRecords::kHandshake, {1}},
      {SealedRecords::kHandshake, {0, 0, 0, 0}},
      {SealedRecords::kHandshake, {1, 1, 0, 0}},
      {SealedRecords::kHandshake, {}},
      {SealedRecords::kAlert, {1, 90}},
      {SealedRecords::kData, {}},
      {20, {1}},
  };
  TlsEnds(TLS1_2_VERSION).shake_hands();  // OpenSSL keeps what it makes for the first one
  for (const auto& [type, text] : kinds) {
    CAPTURE(int{type}, text.size());
    TlsEnds ends(TLS1_2_VERSION);
    ends.shake_hands();
    SealedRecords sealed(ends.client.get());
    for (int i = 0; i < 8; ++i) ends.to_server(sealed.fill(65'000, type, text));
    CHECK(ends.server.state() == TlsEndpoint::State::ended);
    CHECK(ends.out.size() <= 256U << 10);
    CHECK(allocated - ends.before <= kMaxHalfOpen);
  }
}

TEST_CASE("thousands of new keys of TLS 1.3 leave it bounded", "[tls][bounds]") {
  TlsEnds ends(TLS1_3_VERSION);
  ends.shake_hands();
  for (int i = 0; i < 20'000 && ends.server.can_receive(); ++i) {
    REQUIRE(SSL_key_update(ends.client.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(ends.client.get()) == 1);
    ends.to_server(ends.from_client());
  }
  // Nobody has sent what the server answered, so the connection ended when the output was as long as it may
  // be.
  CHECK(ends.server.state() == TlsEndpoint::State::ended);
  CHECK(ends.out.size() <= 256U << 10);
  CHECK(allocated - ends.before <= kMaxHalfOpen);
}

}  // namespace
}  // namespace turnpike::net
