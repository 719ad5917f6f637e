#include "http/tls_context.hpp"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

namespace turnpike::http {
namespace {

namespace ssl = boost::asio::ssl;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

[[noreturn]] void fail(const char* key, const std::string& file, const boost::system::error_code& error) {
  throw std::runtime_error(std::string(key) + ": " + file + ": " + error.message());
}

}  // namespace

ssl::context make_tls_context(const TlsParams& params) {
  ssl::context context(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  boost::system::error_code error;
  context.use_certificate_chain_file(params.certificate, error);
  if (error) fail("tls.certificate", params.certificate, error);
  context.use_private_key_file(params.private_key, ssl::context::pem, error);
  if (error) fail("tls.private_key", params.private_key, error);
  return context;
}

std::string certificate_name(const TlsParams& params) {
  const std::unique_ptr<BIO, Deleter> file(BIO_new_file(params.certificate.c_str(), "r"));
  if (!file) return {};
  const std::unique_ptr<X509, Deleter> certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
  if (!certificate) return {};
  const std::unique_ptr<GENERAL_NAMES, Deleter> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                     static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    if (text != "localhost" && text.find('*') == std::string::npos) return text;
  }
  return {};
}

}  // namespace turnpike::http
