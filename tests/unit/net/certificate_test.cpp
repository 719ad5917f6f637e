#include "net/certificate.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <stdexcept>

#include "support/certificate.hpp"

namespace turnpike::net {
namespace {

// A file that is removed at the end of the test.
class File {
 public:
  explicit File(const std::string& text) {
    const int fd = mkstemp(path_.data());
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(fd);
  }
  ~File() { std::remove(path_.c_str()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/turnpike-pem-XXXXXX";
};

std::string with_passphrase(const std::string& pem, bool traditional) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> from(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  REQUIRE(key);
  const auto* phrase = reinterpret_cast<const unsigned char*>("hunter2");
  return test::to_pem([&](BIO* to) {
    return traditional
               ? PEM_write_bio_PrivateKey_traditional(to, key.get(), EVP_aes_256_cbc(), phrase, 7, nullptr,
                                                      nullptr)
               : PEM_write_bio_PrivateKey(to, key.get(), EVP_aes_256_cbc(), phrase, 7, nullptr, nullptr);
  });
}

// Returns the operator's error message, or an empty text when there is no error.
std::string problem(const std::string& certificate, const std::string& private_key) {
  const File chain(certificate);
  const File key(private_key);
  try {
    load_certificates({{{chain.path()}, {key.path()}}, {}});
    return {};
  } catch (const std::runtime_error& error) {
    std::string text = error.what();
    const std::size_t at = text.find(key.path());
    return at == std::string::npos ? text : text.replace(at, key.path().size(), "KEY");
  }
}

TEST_CASE("an error for a missing file names the file and the reason", "[net]") {
  CHECK_THROWS_WITH(load_certificates({{{"/no/such.pem"}, {"/no/such.key"}}, {}}),
                    "tls.certificate: /no/such.pem cannot be read: No such file or directory; "
                    "tls.private_key: /no/such.key cannot be read: No such file or directory");
}

TEST_CASE("a private key with a passphrase is an error that says so", "[net]") {
  const test::Certificate made = test::make_certificate();
  CHECK(problem(made.certificate, made.private_key).empty());
  for (const bool traditional : {false, true}) {
    CAPTURE(traditional);
    CHECK(problem(made.certificate, with_passphrase(made.private_key, traditional)) ==
          "tls.private_key: KEY: has a passphrase, which a daemon cannot ask for: remove the passphrase with "
          "openssl pkey -in FILE -out NEW");
  }
}

TEST_CASE("an error for something that is not a key does not mention a passphrase", "[net]") {
  const test::Certificate made = test::make_certificate();
  CHECK(problem(made.certificate, test::make_certificate().private_key).find("passphrase") ==
        std::string::npos);
  CHECK_FALSE(problem(made.certificate, test::make_certificate().private_key).empty());
  CHECK(problem(made.certificate, "nonsense").find("passphrase") == std::string::npos);
}

TEST_CASE("a server is called by the first name of its certificate that is neither localhost nor a pattern",
          "[net]") {
  const auto name_in = [](const char* names) {
    const test::Certificate made = test::make_certificate(names);
    const File chain(made.certificate);
    const File key(made.private_key);
    return load_certificates({{{chain.path()}, {key.path()}}, {}}).front().public_name();
  };
  CHECK(name_in("DNS:localhost,DNS:*.example.org,IP:192.0.2.1,DNS:turn.example.org,DNS:example.org") ==
        "turn.example.org");
  CHECK(name_in("DNS:localhost,DNS:*.example.org").empty());
}

}  // namespace
}  // namespace turnpike::net
