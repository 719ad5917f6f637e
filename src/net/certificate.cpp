#include "net/certificate.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <new>
#include <stdexcept>
#include <system_error>

namespace turnpike::net {
namespace {

[[noreturn]] void fail(const std::string& key, const std::string& file) {
  const unsigned long error = ERR_peek_error();
  const char* reason = ERR_SYSTEM_ERROR(error) ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  const std::string why = ERR_SYSTEM_ERROR(error) ? std::generic_category().message(ERR_GET_REASON(error))
                                                  : std::string(reason ? reason : "cannot be read as PEM");
  throw std::runtime_error(key + ": " + file + ": " + why);
}

// A daemon cannot ask for a passphrase. OpenSSL calls this only for a key that has one; it sets `asked` to
// true.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
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

Certificate::Certificate(const CertificateFiles& files, const std::string& path)
    : source_(path + ".certificate: " + files.certificate),
      loaded_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
  if (!loaded_) throw std::bad_alloc();
  SSL_CTX* context = loaded_.get();
  bool has_passphrase = false;
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(context, &has_passphrase);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    fail(path + ".certificate", files.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context, files.private_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    if (has_passphrase) {
      ERR_clear_error();
      throw std::runtime_error(
          path + ".private_key: " + files.private_key +
          ": has a passphrase, and a daemon has nobody to ask for it: write it without one by "
          "openssl pkey -in FILE -out NEW");
    }
    fail(path + ".private_key", files.private_key);
  }
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
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

// Without parameters for it, OpenSSL uses no DHE.
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
  if (params.CertificateFiles::complete()) certificates.emplace_back(params, "tls");
  for (std::size_t i = 0; i < params.certificates.size(); ++i) {
    certificates.emplace_back(params.certificates[i], "tls.certificates[" + std::to_string(i) + ']');
  }
  return certificates;
}

}  // namespace turnpike::net
