#include "net/tls_context.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "support/certificate.hpp"
#include "support/temporary_folder.hpp"

namespace turnpike::net {
namespace {

using namespace std::chrono_literals;

// A folder that makes a certificate and a key for each name.
class PemFolder {
 public:
  CertificateSources make(const std::string& name, const char* subject_names) const {
    const test::Certificate made = test::make_certificate(subject_names, name.c_str());
    return {{write(name + ".pem", made.certificate)}, {write(name + ".key", made.private_key)}};
  }
  std::string write(const std::string& name, const std::string& text) const {
    return folder_.write(name, text);
  }

 private:
  test::TemporaryFolder folder_;
};

struct Hello {
  int version = TLS1_3_VERSION;
  std::string server_name{};
  std::string protocols{};  // as on the wire
  SSL_SESSION* session = nullptr;
};

// A client and a server in one process, after their handshake.
struct Handshake {
  Handshake(const TlsContext& tls, const Hello& hello, TlsUse use = TlsUse::turn)
      : server(tls.new_session(use)), client(SSL_new(context.get())) {
    SSL_set_min_proto_version(client.get(), hello.version);
    SSL_set_max_proto_version(client.get(), hello.version);
    if (!hello.server_name.empty()) SSL_set_tlsext_host_name(client.get(), hello.server_name.c_str());
    if (hello.session) SSL_set_session(client.get(), hello.session);
    SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(hello.protocols.data()),
                        static_cast<unsigned>(hello.protocols.size()));
    SSL_set_connect_state(client.get());
    BIO* client_end = nullptr;
    BIO* server_end = nullptr;
    BIO_new_bio_pair(&client_end, 0, &server_end, 0);
    SSL_set_bio(client.get(), client_end, client_end);
    SSL_set_bio(server.get(), server_end, server_end);
    for (int i = 0; i < 10; ++i) {
      SSL_do_handshake(client.get());
      SSL_do_handshake(server.get());
    }
    char none = 0;
    SSL_read(client.get(), &none, 1);  // takes the tickets of TLS 1.3
  }
  // Without this, OpenSSL would not resume a session that ended without a close_notify.
  ~Handshake() { SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  bool done() const {
    return SSL_is_init_finished(client.get()) == 1 && SSL_is_init_finished(server.get()) == 1;
  }
  bool resumed() const { return done() && SSL_session_reused(client.get()) == 1; }
  SSL_SESSION* session() const { return SSL_get_session(client.get()); }
  std::string shown() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(client.get()),
                                                                  X509_free);
    if (!certificate) return "";
    char name[80] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
    return name;
  }
  std::string protocol() const {
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.get(), &data, &size);
    return {reinterpret_cast<const char*>(data), size};
  }

  std::unique_ptr<SSL_CTX, TlsDeleter> context{SSL_CTX_new(TLS_client_method())};
  TlsSession server;
  TlsSession client;
};

constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

TEST_CASE("SNI selects the first certificate for the name, or else the first one", "[tls]") {
  const PemFolder files;
  TlsParams params{files.make("first", "DNS:turn.example.org"), {}};
  params.certificates = {files.make("second", "DNS:example.net,DNS:*.example.net"),
                         files.make("third", "DNS:a.example.net,DNS:other.example"),
                         files.make("fourth", "IP:192.0.2.1")};
  const TlsContext tls(params, std::make_shared<TicketKeys>());
  const std::pair<std::string, std::string> cases[] = {
      {"", "first"},
      {"turn.example.org", "first"},
      {"TURN.example.ORG", "first"},
      {"example.net", "second"},
      {"a.example.net", "second"},
      {"a.b.example.net", "first"},
      {"other.example", "third"},
      {"fourth", "first"},  // a common name counts for nothing here
      {"unknown.example", "first"},
  };
  for (const int version : kVersions) {
    for (const auto& [name, shown] : cases) {
      CAPTURE(version, name);
      const Handshake handshake(tls, {.version = version, .server_name = name});
      CHECK(handshake.done());
      CHECK(handshake.shown() == shown);
    }
  }
  CHECK(load_certificates(params).size() == 4);
  CHECK(load_certificates(params)[1].public_name() == "example.net");
  CHECK(load_certificates(params)[3].public_name().empty());
}

TEST_CASE("a list of certificates alone is enough", "[tls]") {
  const PemFolder files;
  TlsParams params;
  CHECK_FALSE(params.complete());
  params.certificates = {files.make("one", "DNS:one.example"), files.make("two", "DNS:two.example")};
  CHECK(params.complete());
  const TlsContext tls(params, std::make_shared<TicketKeys>());
  CHECK(Handshake(tls, {.server_name = "two.example"}).shown() == "two");
  CHECK(Handshake(tls, {}).shown() == "one");

  params.certificates[1].private_key = params.certificates[0].private_key;
  CHECK_THROWS_WITH(TlsContext(params, std::make_shared<TicketKeys>()),
                    "tls.certificates[1].private_key: " + params.certificates[1].private_key.name +
                        ": key values mismatch");
}

TEST_CASE("all that is wrong with certificates is named at once", "[tls]") {
  const PemFolder files;
  const CertificateSources good = files.make("good", "DNS:good.example");
  const CertificateSources other = files.make("other", "DNS:other.example");
  const PemSource none{files.write("none.pem", "nothing")};
  TlsParams params{{none, none}, {}};
  params.certificates = {{good.certificate, other.private_key},
                         good,
                         {none, good.private_key},
                         {none, {}},  // a key that has an error in the configuration
                         {{}, none}};
  const auto faults = [&]() -> std::vector<std::string> {
    try {
      load_certificates(params);
    } catch (const UnusableCertificates& unusable) {
      return unusable.faults();
    }
    return {};
  };
  const std::string no_certificate = none.name + ": has no certificate in PEM";
  const std::string no_key = none.name + ": has no private key in PEM";
  CHECK(faults() ==
        std::vector{"tls.certificate: " + no_certificate, "tls.private_key: " + no_key,
                    "tls.certificates[0].private_key: " + other.private_key.name + ": key values mismatch",
                    "tls.certificates[2].certificate: " + no_certificate,
                    "tls.certificates[3].certificate: " + no_certificate,
                    "tls.certificates[4].private_key: " + no_key});
  params = {{none, good.private_key}, {{good.certificate, none}}};
  CHECK_THROWS_WITH(load_certificates(params),
                    "tls.certificate: " + no_certificate + "; tls.certificates[0].private_key: " + no_key);
}

TEST_CASE("a key with a passphrase is an error, and nobody is asked", "[tls]") {
  const PemFolder files;
  const CertificateSources made = files.make("locked", "DNS:locked.example");
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_file(made.private_key.name.c_str(), "r"),
                                                     BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const std::string locked = test::to_pem([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), EVP_aes_256_cbc(), "open", 4, nullptr, nullptr);
  });
  const TlsParams params{{made.certificate, {files.write("locked.pem8", locked)}}, {}};
  CHECK_THROWS_WITH(TlsContext(params, std::make_shared<TicketKeys>()),
                    Catch::StartsWith("tls.private_key: " + params.private_key.name + ": has a passphrase"));
}

TEST_CASE("a certificate and its key can stand in the environment", "[tls]") {
  const test::Certificate made = test::make_certificate("DNS:env.example", "env.example");
  setenv("TURNPIKE_TEST_CERTIFICATE", made.certificate.c_str(), 1);
  setenv("TURNPIKE_TEST_KEY", made.private_key.c_str(), 1);
  const TlsParams params{{{"TURNPIKE_TEST_CERTIFICATE", PemSource::Kind::variable},
                          {"TURNPIKE_TEST_KEY", PemSource::Kind::variable}},
                         {}};
  CHECK(load_certificates(params).front().is_for("env.example"));
  setenv("TURNPIKE_TEST_KEY", "no key at all", 1);
  CHECK_THROWS_WITH(load_certificates(params),
                    "tls.private_key: environment variable TURNPIKE_TEST_KEY: has no private key in PEM");
  unsetenv("TURNPIKE_TEST_KEY");
  CHECK_THROWS_WITH(load_certificates(params),
                    "tls.private_key: environment variable TURNPIKE_TEST_KEY is empty");
  unsetenv("TURNPIKE_TEST_CERTIFICATE");
}

TEST_CASE("a file that is not a regular one is refused and not waited for", "[tls]") {
  const PemFolder files;
  const CertificateSources made = files.make("pipe", "DNS:pipe.example");
  const std::string pipe = files.write("pipe", "");
  REQUIRE(std::filesystem::remove(pipe));
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(load_certificates({{made.certificate, {pipe}}, {}}),
                    "tls.private_key: " + pipe + " is not a regular file");
  CHECK_THROWS_WITH(load_certificates({{{"/dev/zero"}, made.private_key}, {}}),
                    "tls.certificate: /dev/zero is not a regular file");
}

TEST_CASE("ciphers that OpenSSL does not know, or without authenticated encryption, are refused", "[net]") {
  const PemFolder files;
  TlsParams params{files.make("x", "DNS:x.example"), {}};
  const auto make = [&](const std::string& ciphers) {
    params.ciphers = ciphers;
    return TlsContext(params, std::make_shared<TicketKeys>());
  };
  CHECK_NOTHROW(make("ECDHE+AESGCM:TLS_AES_128_GCM_SHA256"));
  CHECK_NOTHROW(make("TLS_AES_128_GCM_SHA256"));
  CHECK_NOTHROW(make("DEFAULT:!RC4:-CAMELLIA:!AES:!SHA1:!SHA256:!SHA384:!PSK:@STRENGTH"));
  const std::string unknown = "tls.ciphers: OpenSSL knows no cipher of the name ";
  CHECK_THROWS_WITH(make("NO-SUCH-CIPHER"), unknown + "NO-SUCH-CIPHER");
  CHECK_THROWS_WITH(make("TLS_NO_SUCH"), unknown + "TLS_NO_SUCH");
  CHECK_THROWS_WITH(make("FOO:ECDHE+AESGCM"), unknown + "FOO");
  CHECK_THROWS_WITH(make("ECDHE+AESGCM:ECDHE+FOO"), unknown + "ECDHE+FOO");
  CHECK_THROWS_WITH(make("TLS_AES_128_GCM_SHA256:TLS_NO_SUCH"), unknown + "TLS_NO_SUCH");
  CHECK_THROWS_WITH(make("ECDHE+AESGCM:!AESGCM"),
                    "tls.ciphers: OpenSSL finds no cipher in ECDHE+AESGCM:!AESGCM");
  CHECK_THROWS_WITH(make("ECDHE+AESGCM:@NONSENSE"),
                    Catch::StartsWith("tls.ciphers: OpenSSL finds no cipher"));
  CHECK_THROWS_WITH(make("ECDHE-RSA-AES128-SHA256"), Catch::EndsWith("has no authenticated encryption"));
  CHECK_THROWS_WITH(make("eNULL"), Catch::EndsWith("has no authenticated encryption"));
  CHECK_THROWS_WITH(make("ECDHE+AESGCM:ADH-AES128-GCM-SHA256"),
                    "tls.ciphers: ADH-AES128-GCM-SHA256 is without a certificate: add !aNULL");
  CHECK_NOTHROW(make("AESGCM:!aNULL"));
}

TEST_CASE("ciphers of which none suits the key of a certificate are refused", "[net]") {
  const PemFolder files;
  TlsParams params{files.make("x", "DNS:x.example"), {}};  // a key of P-256
  const auto make = [&](const std::string& ciphers) {
    params.ciphers = ciphers;
    return TlsContext(params, std::make_shared<TicketKeys>(), TlsKind::dtls);
  };
  const std::string refused =
      "tls.ciphers: none of those for TLS 1.2 and DTLS suits the key of tls.certificate: " +
      params.certificate.name;
  CHECK_THROWS_WITH(make("ECDHE-RSA-AES128-GCM-SHA256"), refused);
  CHECK_THROWS_WITH(make("AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256"), refused);
  CHECK_THROWS_WITH(make("DHE-RSA-AES128-GCM-SHA256:PSK-AES128-GCM-SHA256"), refused);
  CHECK_NOTHROW(make("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"));
  CHECK_NOTHROW(make("TLS_AES_128_GCM_SHA256"));
}

TEST_CASE("ALPN selects a protocol of the listener", "[tls]") {
  const PemFolder files;
  const TlsContext tls({files.make("x", "DNS:x.example"), {}}, std::make_shared<TicketKeys>());
  const auto chosen = [&](TlsUse use, std::string protocols) {
    return Handshake(tls, {.protocols = std::move(protocols)}, use).protocol();
  };
  const std::string browser = "\x02h2\x08http/1.1";
  const std::string both = "\x08http/1.1\x12stun.nat-discovery\x09stun.turn";
  CHECK(chosen(TlsUse::http, browser) == "http/1.1");
  CHECK(chosen(TlsUse::http, both) == "http/1.1");
  CHECK(chosen(TlsUse::turn, browser).empty());
  CHECK(chosen(TlsUse::turn, both) == "stun.turn");
  CHECK(chosen(TlsUse::any_of_them, browser) == "http/1.1");
  CHECK(chosen(TlsUse::any_of_them, both) == "stun.turn");
  CHECK(chosen(TlsUse::any_of_them, "\x12stun.nat-discovery") == "stun.nat-discovery");
  CHECK(chosen(TlsUse::any_of_them, "\x02h2").empty());
}

TEST_CASE("a session is resumed for two periods of the ticket key, whatever the certificate", "[tls]") {
  const PemFolder files;
  SteadyTime now{};
  const auto keys = std::make_shared<TicketKeys>([&] { return now; }, 12h);
  const TlsContext before({files.make("before", "DNS:x.example"), {}}, keys);
  const TlsContext after({files.make("after", "DNS:x.example"), {}}, keys);
  const TlsContext stranger({files.make("before", "DNS:x.example"), {}}, std::make_shared<TicketKeys>());
  for (const int version : kVersions) {
    CAPTURE(version);
    const Handshake first(before, {.version = version});
    REQUIRE(first.done());
    CHECK_FALSE(first.resumed());
    const auto is_resumed = [&](const TlsContext& tls) {
      const Handshake again(tls, {.version = version, .session = first.session()});
      CHECK(again.done());
      return again.resumed();
    };
    CHECK(is_resumed(before));
    CHECK(is_resumed(after));  // and there was no need to show the certificate
    CHECK_FALSE(is_resumed(stranger));
    now += 12h;
    CHECK(is_resumed(after));
    now += 12h - 1ms;
    CHECK(is_resumed(after));
    now += 1ms;
    CHECK_FALSE(is_resumed(after));
    CHECK(SSL_SESSION_get_max_early_data(first.session()) == 0);
  }
}

TicketKeys::Key key_of_period(std::int64_t period) {
  TicketKeys::Key key;
  key.name.fill(static_cast<std::uint8_t>(period));
  key.cipher.fill(static_cast<std::uint8_t>(period + 1));
  return key;
}

TEST_CASE("derived ticket keys follow a clock that is set back", "[tls]") {
  constexpr auto kPeriod = 12h;
  SteadyTime now(1000 * kPeriod);
  const auto clock = [&] { return now; };
  TicketKeys began_too_late(key_of_period, clock, kPeriod);
  now -= 100 * kPeriod;
  TicketKeys other(key_of_period, clock, kPeriod);
  CHECK((began_too_late.encryption_key().name == other.encryption_key().name));
  now -= kPeriod;
  CHECK(began_too_late.find_decryption_key(key_of_period(899).name));
  CHECK(began_too_late.find_decryption_key(key_of_period(898).name));
  CHECK_FALSE(began_too_late.find_decryption_key(key_of_period(900).name));
}

TEST_CASE("servers that derive their ticket keys from one secret accept each other's tickets", "[tls]") {
  const PemFolder files;
  SteadyTime now = SteadyTime(std::chrono::hours(24 * 365 * 56 + 5));
  const auto clock = [&] { return now; };
  const TlsContext here({files.make("x", "DNS:x.example"), {}},
                        std::make_shared<TicketKeys>(key_of_period, clock));
  for (const int version : kVersions) {
    CAPTURE(version);
    const Handshake first(here, {.version = version});
    REQUIRE(first.done());
    const auto is_resumed = [&] {
      const TlsContext there({files.make("x", "DNS:x.example"), {}},
                             std::make_shared<TicketKeys>(key_of_period, clock));
      return Handshake(there, {.version = version, .session = first.session()}).resumed();
    };
    CHECK(is_resumed());
    now += 12h;
    CHECK(is_resumed());
    now += 12h;
    CHECK_FALSE(is_resumed());
  }
}

TEST_CASE("an old ticket is replaced by one that the present key seals", "[tls]") {
  const PemFolder files;
  SteadyTime now{};
  const auto keys = std::make_shared<TicketKeys>([&] { return now; }, 12h);
  const TlsContext tls({files.make("x", "DNS:x.example"), {}}, keys);
  for (const int version : kVersions) {
    const Handshake first(tls, {.version = version});
    now += 12h;
    const Handshake second(tls, {.version = version, .session = first.session()});
    REQUIRE(second.resumed());
    now += 12h;
    CHECK(Handshake(tls, {.version = version, .session = second.session()}).resumed());
  }
}

TEST_CASE("the present and the previous ticket key are valid, and no older one", "[tls]") {
  SteadyTime now{};
  TicketKeys keys([&] { return now; }, 10s);
  const auto first = keys.encryption_key();
  CHECK((keys.encryption_key().name == first.name));
  now += 10s;
  const auto second = keys.encryption_key();
  CHECK_FALSE((second.name == first.name));
  CHECK_FALSE((second.cipher == first.cipher));
  CHECK_FALSE((second.mac == first.mac));
  REQUIRE(keys.find_decryption_key(first.name));
  CHECK(keys.find_decryption_key(first.name)->is_old);
  CHECK((keys.find_decryption_key(first.name)->key.cipher == first.cipher));
  REQUIRE(keys.find_decryption_key(second.name));
  CHECK_FALSE(keys.find_decryption_key(second.name)->is_old);
  now += 25s;  // nobody came for two periods
  CHECK_FALSE(keys.find_decryption_key(second.name));
  CHECK_FALSE(keys.find_decryption_key(first.name));
  const auto third = keys.encryption_key();
  now += 5s;  // periods follow one another without a gap
  CHECK_FALSE((keys.encryption_key().name == third.name));
  CHECK(keys.find_decryption_key(third.name)->is_old);
}

}  // namespace
}  // namespace turnpike::net
