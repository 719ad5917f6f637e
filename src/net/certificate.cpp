#include "net/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <new>
#include <utility>

#include "net/regular_file.hpp"

namespace turnpike::net {
namespace {

constexpr std::size_t kMaxPem = 1 << 20;  // octets

// One part of a certificate: the key of the configuration, and its PEM text, which is overwritten afterwards.
class PemText {
 public:
  PemText(const PemSource& source, std::string key) : where_(std::move(key) + ": " + source.describe()) {
    if (source.kind == PemSource::Kind::variable) {
      const char* const value = getenv(source.name.c_str());
      text_ = value ? value : "";
    } else {
      Result<std::string, FileProblem> text = read_regular_file(source.name, kMaxPem);
      if (!text) throw std::runtime_error(where_ + ' ' + text.error().text);
      text_ = std::move(*text);
    }
    if (text_.empty()) throw std::runtime_error(where_ + " is empty");
    bio_.reset(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size())));
    if (!bio_) throw std::bad_alloc();
  }
  ~PemText() { OPENSSL_cleanse(text_.data(), text_.size()); }
  PemText(const PemText&) = delete;
  PemText& operator=(const PemText&) = delete;

  BIO* bio() { return bio_.get(); }

  [[noreturn]] void fail(const char* why) const {
    ERR_clear_error();
    throw std::runtime_error(where_ + ": " + why);
  }
  // Fails with the reason that OpenSSL gives.
  [[noreturn]] void fail() const {
    const unsigned long error = ERR_peek_error();
    const char* const reason = ERR_SYSTEM_ERROR(error) ? nullptr : ERR_reason_error_string(error);
    fail(reason ? reason : "cannot be read as PEM");
  }

 private:
  std::string where_;
  std::string text_;
  std::unique_ptr<BIO, decltype(&BIO_free)> bio_{nullptr, BIO_free};
};

// Reads the certificate and its chain, as SSL_CTX_use_certificate_chain_file() does.
void use_chain(SSL_CTX* context, PemText& pem) {
  using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
  const X509Ptr leaf(PEM_read_bio_X509_AUX(pem.bio(), nullptr, nullptr, nullptr), X509_free);
  if (!leaf && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
    pem.fail("has no certificate in PEM");
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) pem.fail();
  while (X509* const next = PEM_read_bio_X509(pem.bio(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      pem.fail();
    }
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) pem.fail();
  ERR_clear_error();
}

// A daemon cannot ask for a passphrase. OpenSSL calls this only for a key that has one; it sets `asked` to
// true.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

// The key has to be that of the context's certificate, if there is one.
void use_key(SSL_CTX* context, PemText& pem) {
  bool has_passphrase = false;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(pem.bio(), nullptr, no_passphrase, &has_passphrase), EVP_PKEY_free);
  const bool has_certificate = SSL_CTX_get0_certificate(context) != nullptr;
  if (key && SSL_CTX_use_PrivateKey(context, key.get()) == 1 &&
      (!has_certificate || SSL_CTX_check_private_key(context) == 1))
    return;
  if (has_passphrase) {
    pem.fail(
        "has a passphrase, which a daemon cannot ask for: remove the passphrase with openssl pkey -in FILE "
        "-out NEW");
  }
  // For a text that is not a key, OpenSSL's reason is "unsupported" at best, so this says more.
  if (!key) pem.fail("has no private key in PEM");
  pem.fail();
}

// Gives the text of a source to `use`. Returns whether that went well; a source without a name is none.
bool read_source(const PemSource& source, const std::string& key, SSL_CTX* context,
                 void (*use)(SSL_CTX*, PemText&), std::vector<std::string>& faults) {
  if (source.empty()) return false;
  ERR_clear_error();
  try {
    PemText pem(source, key);
    use(context, pem);
    return true;
  } catch (const std::runtime_error& error) {
    faults.emplace_back(error.what());
    return false;
  }
}

std::string joined(const std::vector<std::string>& faults) {
  std::string all;
  for (const std::string& fault : faults) all.append(all.empty() ? "" : "; ").append(fault);
  return all;
}

struct Deleter {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

WallTime wall_time(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime(std::chrono::duration_cast<Duration>(std::chrono::seconds(timegm(&parts))));
}

}  // namespace

std::string PemSource::describe() const {
  return kind == Kind::variable ? "environment variable " + name : name;
}

UnusableCertificates::UnusableCertificates(std::vector<std::string> faults)
    : std::runtime_error(joined(faults)), faults_(std::move(faults)) {}

Certificate::Certificate(std::string source)
    : source_(std::move(source)), loaded_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
  if (!loaded_) throw std::bad_alloc();
}

std::optional<Certificate> Certificate::load(const CertificateSources& sources, const std::string& path,
                                             std::vector<std::string>& faults) {
  Certificate made(path + ".certificate: " + sources.certificate.describe());
  SSL_CTX* const context = made.loaded_.get();
  const bool has_chain = read_source(sources.certificate, path + ".certificate", context, use_chain, faults);
  const bool has_key = read_source(sources.private_key, path + ".private_key", context, use_key, faults);
  if (!has_chain || !has_key) return std::nullopt;
  return made;
}

bool Certificate::is_for(const std::string& name) const {
  constexpr unsigned kFlags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
  return X509_check_host(leaf(), name.c_str(), name.size(), kFlags, nullptr) == 1;
}

std::string Certificate::public_name() const {
  const std::unique_ptr<GENERAL_NAMES, Deleter> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    std::string text = text_of(name->d.dNSName);
    if (text != "localhost" && text.find('*') == std::string::npos) return text;
  }
  return {};
}

WallTime Certificate::not_before() const { return wall_time(X509_get0_notBefore(leaf())); }

WallTime Certificate::not_after() const { return wall_time(X509_get0_notAfter(leaf())); }

// DHE is left out, since OpenSSL does not use it without parameters, and none are set.
bool Certificate::suits(const SSL_CIPHER* cipher) const {
  const EVP_PKEY* key = SSL_CTX_get0_privatekey(loaded_.get());
  const int exchange = SSL_CIPHER_get_kx_nid(cipher);
  const int by = SSL_CIPHER_get_auth_nid(cipher);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: return by == NID_auth_rsa && (exchange == NID_kx_ecdhe || exchange == NID_kx_rsa);
    case EVP_PKEY_RSA_PSS: return by == NID_auth_rsa && exchange == NID_kx_ecdhe;
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448: return by == NID_auth_ecdsa && exchange == NID_kx_ecdhe;
    default: return false;
  }
}

void Certificate::use_for(SSL_CTX* context) const {
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(loaded_.get(), &chain);
  if (SSL_CTX_use_cert_and_key(context, leaf(), SSL_CTX_get0_privatekey(loaded_.get()), chain, 1) != 1) {
    throw std::bad_alloc();
  }
}

bool Certificate::use_for(SSL* session) const {
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(loaded_.get(), &chain);
  SSL_certs_clear(session);
  return SSL_use_cert_and_key(session, leaf(), SSL_CTX_get0_privatekey(loaded_.get()), chain, 1) == 1;
}

std::vector<Certificate> load_certificates(const TlsParams& params) {
  std::vector<Certificate> certificates;
  std::vector<std::string> faults;
  const auto load = [&](const CertificateSources& sources, const std::string& path) {
    if (auto one = Certificate::load(sources, path, faults)) certificates.push_back(std::move(*one));
  };
  load(params, "tls");
  for (std::size_t i = 0; i < params.certificates.size(); ++i)
    load(params.certificates[i], "tls.certificates[" + std::to_string(i) + ']');
  if (!faults.empty()) throw UnusableCertificates(std::move(faults));
  return certificates;
}

}  // namespace turnpike::net
