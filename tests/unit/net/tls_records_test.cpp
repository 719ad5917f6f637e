#include "net/tls_records.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "net/tls_context.hpp"
#include "support/certificate.hpp"

namespace turnpike::net {
namespace {

using Octets = std::vector<std::uint8_t>;
using Context = std::unique_ptr<SSL_CTX, TlsDeleter>;

Octets octets(std::string_view text) { return {text.begin(), text.end()}; }

const test::Certificate& certificate() {
  static const test::Certificate made = test::make_certificate();
  return made;
}

Context server_context() {
  Context context(SSL_CTX_new(TLS_server_method()));
  const auto parse = [](const std::string& pem) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  };
  X509* shown = PEM_read_bio_X509(parse(certificate().certificate).get(), nullptr, nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(parse(certificate().private_key).get(), nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(context.get(), shown);
  SSL_CTX_use_PrivateKey(context.get(), key);
  X509_free(shown);
  EVP_PKEY_free(key);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
  TrafficSecrets::keep(context.get());
  return context;
}

struct Suite {
  int version;
  const char* name;
};
constexpr Suite kSuites[] = {
    {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
    {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},  {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"}, {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"},
};
constexpr Suite k13 = kSuites[0];
constexpr Suite k12 = kSuites[3];

Octets take_all(BIO* bio) {
  Octets all(static_cast<std::size_t>(BIO_pending(bio)));
  if (!all.empty()) BIO_read(bio, all.data(), static_cast<int>(all.size()));
  return all;
}

std::uint64_t count_records(Bytes wire) {
  std::uint64_t count = 0;
  for (; const auto size = TlsRecords::size_of(wire); ++count) wire = wire.subspan(*size);
  return count;
}

// OpenSSL as a client, and records of ours where a server's would be.
class Connection {
 public:
  explicit Connection(const Suite& suite, std::uint64_t records_per_key = TlsRecords::kRecordsPerKey)
      : context_(SSL_CTX_new(TLS_client_method())), client_(SSL_new(context_.get())) {
    SSL_set_min_proto_version(client_.get(), suite.version);
    SSL_set_max_proto_version(client_.get(), suite.version);
    if (suite.version == TLS1_3_VERSION) {
      SSL_set_ciphersuites(client_.get(), suite.name);
    } else {
      SSL_set_cipher_list(client_.get(), suite.name);
    }
    SSL_set_bio(client_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client_.get());
    const Context served = server_context();
    const TlsSession server(SSL_new(served.get()));
    SSL_set_bio(server.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(server.get());
    Octets last;
    while (SSL_is_init_finished(client_.get()) == 0 || SSL_is_init_finished(server.get()) == 0) {
      SSL_do_handshake(client_.get());
      const Octets said = take_all(SSL_get_wbio(client_.get()));
      BIO_write(SSL_get_rbio(server.get()), said.data(), static_cast<int>(said.size()));
      SSL_do_handshake(server.get());
      last = take_all(SSL_get_wbio(server.get()));
      to_client(last);
    }
    const bool is_1_3 = suite.version == TLS1_3_VERSION;
    records_ = TlsRecords::of(server.get(),
                              is_1_3 ? TlsRecords::Counts{0, count_records(last)} : TlsRecords::Counts{1, 1},
                              records_per_key);
    REQUIRE(records_);
    if (is_1_3) secrets = *TrafficSecrets::of(server.get());
  }

  SSL* client() { return client_.get(); }
  TlsRecords& server() { return *records_; }

  void to_client(Bytes wire) {
    BIO_write(SSL_get_rbio(client()), wire.data(), static_cast<int>(wire.size()));
  }
  // What the client has said, as it goes over the wire.
  Octets from_client() { return take_all(SSL_get_wbio(client())); }

  Octets client_writes(const Octets& text) {
    REQUIRE(SSL_write(client(), text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size()));
    return from_client();
  }
  // One record; empty when there is none.
  Octets client_reads() {
    Octets text(20000);
    const int size = SSL_read(client(), text.data(), static_cast<int>(text.size()));
    text.resize(static_cast<std::size_t>(std::max(size, 0)));
    return text;
  }
  // What the server makes of records; what it has to say to them reaches the client.
  Octets server_reads(Octets wire) {
    Octets all;
    std::vector<std::uint8_t> out;
    for (MutableBytes rest(wire); const auto size = TlsRecords::size_of(rest);) {
      const TlsRecords::Opened opened = records_->open(rest.first(*size), out);
      all.insert(all.end(), opened.text.begin(), opened.text.end());
      rest = rest.subspan(*size);
      ended = ended || opened.is_end;
    }
    to_client(out);
    return all;
  }
  Octets server_writes(const Octets& text) {
    std::vector<std::uint8_t> out;
    REQUIRE(records_->seal(text.size(), out, [&](std::uint8_t* to) { std::ranges::copy(text, to); }));
    return out;
  }
  bool both_ways_are_open() {
    for (const char* text : {"one", "two", ""}) {
      if (server_reads(client_writes(octets(std::string("up ") + text))) != octets(std::string("up ") + text))
        return false;
      to_client(server_writes(octets(std::string("down ") + text)));
      if (client_reads() != octets(std::string("down ") + text)) return false;
    }
    return !ended;
  }
  // The alert that the client got, once it has read.
  int alert_seen() {
    ERR_clear_error();
    client_reads();
    const auto error = ERR_peek_error();
    return ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
  }

  bool ended = false;
  TrafficSecrets secrets;

 private:
  Context context_;
  TlsSession client_;
  std::optional<TlsRecords> records_;
};

TEST_CASE("records of ours and OpenSSL's are the same, under every cipher", "[tls][records]") {
  for (const Suite& suite : kSuites) {
    CAPTURE(suite.name);
    Connection connection(suite);
    REQUIRE(connection.both_ways_are_open());
    for (const std::size_t size : {std::size_t{1}, std::size_t{160}, std::size_t{4095}, kLongestText}) {
      const Octets text(size, 'x');
      CHECK((connection.server_reads(connection.client_writes(text)) == text));
      connection.to_client(connection.server_writes(text));
      CHECK((connection.client_reads() == text));
    }
    // The goodbye, ours and once only.
    std::vector<std::uint8_t> out;
    connection.server().close(out);
    connection.server().close(out);
    CHECK(count_records(out) == 1);
    connection.to_client(out);
    CHECK(connection.client_reads().empty());
    CHECK(SSL_get_shutdown(connection.client()) == SSL_RECEIVED_SHUTDOWN);
  }
}

TEST_CASE("a client's goodbye is heard", "[tls][records]") {
  for (const Suite& suite : {k12, k13}) {
    Connection connection(suite);
    SSL_shutdown(connection.client());
    CHECK(connection.server_reads(connection.from_client()).empty());
    CHECK(connection.ended);
    std::vector<std::uint8_t> out;
    connection.server().close(out);
    CHECK(count_records(out) == 1);
  }
}

TEST_CASE("whatever is changed in a record, it ends the connection and brings nothing", "[tls][records]") {
  for (const Suite& suite : kSuites) {
    CAPTURE(suite.name);
    const std::size_t size = Connection(suite).client_writes(octets("a secret")).size();
    for (std::size_t at = 0; at < size; ++at) {
      if (at == 3 || at == 4) continue;  // how long it is
      CAPTURE(at);
      Connection connection(suite);
      Octets wire = connection.client_writes(octets("a secret"));
      wire[at] ^= 0x40;
      CHECK(connection.server_reads(wire).empty());
      CHECK(connection.ended);
      if (at >= TlsRecords::kHeaderSize) CHECK(connection.alert_seen() == SSL_AD_BAD_RECORD_MAC);
      // Nothing is said after that.
      std::vector<std::uint8_t> out;
      connection.server().close(out);
      CHECK(out.empty());
      if (suite.version == TLS1_2_VERSION && at > 20) break;
    }
  }
}

TEST_CASE("a record that comes twice, or after one that is missing, is not authentic", "[tls][records]") {
  for (const Suite& suite : {k12, k13}) {
    Connection twice(suite);
    const Octets wire = twice.client_writes(octets("one"));
    CHECK((twice.server_reads(wire) == octets("one")));
    CHECK(twice.server_reads(wire).empty());
    CHECK(twice.ended);

    Connection missing(suite);
    missing.client_writes(octets("one"));
    CHECK(missing.server_reads(missing.client_writes(octets("two"))).empty());
    CHECK(missing.ended);
  }
}

TEST_CASE("records too short for what they need are not authentic", "[tls][records]") {
  for (const Suite& suite : kSuites) {
    for (std::uint8_t size = 0; size < 30; ++size) {
      Connection connection(suite);
      Octets wire{23, 3, 3, 0, size};
      wire.resize(wire.size() + size);
      CHECK(connection.server_reads(wire).empty());
      CHECK(connection.ended);
    }
  }
}

TEST_CASE("in TLS 1.3 the padding of a record is taken off", "[tls][records]") {
  Connection connection(k13);
  SSL_set_block_padding(connection.client(), 512);
  const Octets text = octets(std::string("zeros at its end\0\0\0", 19));
  const Octets wire = connection.client_writes(text);
  CHECK(wire.size() > 512);
  CHECK((connection.server_reads(wire) == text));
  CHECK(connection.both_ways_are_open());
}

TEST_CASE("TLS 1.3: new keys for one direction, or for both", "[tls][records]") {
  for (const Suite& suite : {kSuites[0], kSuites[1], kSuites[2]}) {
    for (const int request : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      Connection connection(suite);
      REQUIRE(connection.both_ways_are_open());
      for (int i = 0; i < 3; ++i) {
        REQUIRE(SSL_key_update(connection.client(), request) == 1);
        REQUIRE(SSL_do_handshake(connection.client()) == 1);
        CHECK(connection.server_reads(connection.from_client()).empty());
        CHECK(connection.both_ways_are_open());
      }
    }
  }
}

TEST_CASE("who asks for new keys and says nothing else is left", "[tls][records]") {
  Connection connection(k13);
  for (int i = 0; i < 32; ++i) {
    SSL_key_update(connection.client(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(connection.client());
    connection.server_reads(connection.from_client());
  }
  REQUIRE(connection.both_ways_are_open());  // data in between
  for (int i = 0; i < 33; ++i) {
    CHECK_FALSE(connection.ended);
    SSL_key_update(connection.client(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(connection.client());
    connection.server_reads(connection.from_client());
  }
  CHECK(connection.ended);
  CHECK(connection.alert_seen() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE("TLS 1.3: our keys are replaced before they have been used too often", "[tls][records]") {
  Connection connection(k13, 5);
  const Octets text = octets("data");
  std::size_t updates = 0;
  for (int i = 0; i < 23; ++i) {
    const Octets wire = connection.server_writes(text);
    updates += count_records(wire) - 1;
    connection.to_client(wire);
    CHECK((connection.client_reads() == text));
  }
  // Under the first key there were two tickets, and then three of these; under each other one, five.
  CHECK(updates == 4);
  CHECK(connection.both_ways_are_open());

  Connection old(k12, 5);
  for (int i = 0; i < 23; ++i) CHECK(count_records(old.server_writes(text)) == 1);
}

TEST_CASE("TLS 1.2 is not negotiated anew, and goes on", "[tls][records]") {
  Connection connection(k12);
  REQUIRE(connection.both_ways_are_open());
  // The record of a hello that asks for it.
  SSL_renegotiate(connection.client());
  SSL_do_handshake(connection.client());
  const Octets hello = connection.from_client();
  REQUIRE(hello[0] == 22);
  CHECK(connection.server_reads(hello).empty());
  CHECK_FALSE(connection.ended);
  // OpenSSL's clients take the refusal for the end.
  SSL_do_handshake(connection.client());
  connection.server_reads(connection.from_client());
  CHECK(connection.ended);
}

// A client of TLS 1.3 that knows the keys, and no rules.
struct RudeClient : Connection {
  RudeClient() : Connection(k13) {
    REQUIRE(expand_label(EVP_sha256(), Bytes(secrets.client).first(32), "key", key));
    REQUIRE(expand_label(EVP_sha256(), Bytes(secrets.client).first(32), "iv", nonce));
  }

  // Its first record: what is encrypted is whatever is given.
  Octets record_of(const Octets& inner) {
    Octets wire{23, 3, 3, 0, 0};
    store_u16(&wire[3], static_cast<std::uint16_t>(inner.size() + 16));
    const CipherContext context(EVP_CIPHER_CTX_new());
    EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key.data(), nonce.data());
    int size = 0;
    EVP_EncryptUpdate(context.get(), nullptr, &size, wire.data(), 5);
    wire.resize(5 + inner.size() + 16);
    EVP_EncryptUpdate(context.get(), &wire[5], &size, inner.data(), static_cast<int>(inner.size()));
    EVP_EncryptFinal_ex(context.get(), &wire[5 + inner.size()], &size);
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, &wire[5 + inner.size()]);
    return wire;
  }

  std::array<std::uint8_t, 16> key{};
  std::array<std::uint8_t, 12> nonce{};  // of record 0
};

TEST_CASE("TLS 1.3: what breaks the rules though it is authentic is answered with an alert",
          "[tls][records]") {
  constexpr int kUnexpected = SSL_AD_UNEXPECTED_MESSAGE;
  Octets long_by_one(kLongestText + 2, 23);
  const std::pair<Octets, int> cases[] = {
      {{}, kUnexpected},                        // no type at all
      {{0, 0, 0}, kUnexpected},                 // nothing but padding
      {{1, 20}, kUnexpected},                   // a change of cipher
      {{1, 2, 3, 24}, kUnexpected},             // a type that nobody knows
      {{22}, kUnexpected},                      // an empty handshake message
      {{24, 0, 0, 1, 2, 22}, kUnexpected},      // neither asked for nor not
      {{24, 0, 0, 1, 22}, kUnexpected},         // cut short
      {{24, 0, 0, 1, 0, 24, 22}, kUnexpected},  // something behind it, under keys that are over
      {{4, 0, 0, 1, 0, 22}, kUnexpected},       // a ticket, which only servers have
      {{2, 22, 0, 21}, SSL_AD_DECODE_ERROR},    // an alert of three octets
      {long_by_one, SSL_AD_RECORD_OVERFLOW},
  };
  for (const auto& [inner, alert] : cases) {
    CAPTURE(inner.size(), alert);
    RudeClient client;
    CHECK(client.server_reads(client.record_of(inner)).empty());
    CHECK(client.ended);
    CHECK(client.alert_seen() == alert);
  }
}

TEST_CASE("TLS 1.3: alerts end the connection, and are not answered", "[tls][records]") {
  for (const std::uint8_t alert : {10, 20, 40, 80, 255}) {
    for (const std::uint8_t level : {1, 2}) {
      RudeClient client;
      CHECK(client.server_reads(client.record_of({level, alert, 21})).empty());
      CHECK(client.ended);
      std::vector<std::uint8_t> out;
      client.server().close(out);
      CHECK(out.empty());
    }
  }
  RudeClient polite;  // who will say goodbye in a moment
  CHECK(polite.server_reads(polite.record_of({1, 90, 21})).empty());
  CHECK_FALSE(polite.ended);
}

TEST_CASE("empty records of data are nothing, and harmless", "[tls][records]") {
  RudeClient client;
  CHECK(client.server_reads(client.record_of({23})).empty());
  CHECK_FALSE(client.ended);
}

TEST_CASE("in TLS 1.3 a record that says it is anything but data ends the connection", "[tls][records]") {
  for (const std::uint8_t type : {20, 21, 22, 24, 0}) {
    Connection connection(k13);
    Octets wire = connection.client_writes(octets("x"));
    wire[0] = type;
    CHECK(connection.server_reads(wire).empty());
    CHECK(connection.ended);
    CHECK(connection.alert_seen() == SSL_AD_UNEXPECTED_MESSAGE);
  }
}

}  // namespace
}  // namespace turnpike::net
