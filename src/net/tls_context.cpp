#include "net/tls_context.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "net/context_data.hpp"

namespace turnpike::net {
namespace {

// The ALPN protocols (RFC 7443 §3 and RFC 7301 §6), in order of preference.
constexpr std::array<std::string_view, 3> kProtocols{"stun.turn", "stun.nat-discovery", "http/1.1"};

std::span<const std::string_view> protocols_for(TlsUse use) {
  const std::span all(kProtocols);
  switch (use) {
    case TlsUse::turn: return all.first(2);
    case TlsUse::http: return all.last(1);
    case TlsUse::any_of_them: break;
  }
  return all;
}

// Only ciphers with forward secrecy and authenticated encryption are used, whatever openssl.cnf says.
const std::string kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
const std::string kTls13Ciphers =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";

constexpr long kMaxHandshakeMessage = 16 << 10;

constexpr std::string_view kSessionContext = "turnpike";

bool offers(std::string_view list, std::string_view protocol) {
  while (!list.empty()) {
    const std::size_t size = static_cast<unsigned char>(list.front());
    if (list.substr(1, size) == protocol) return true;
    list.remove_prefix(std::min(1 + size, list.size()));
  }
  return false;
}

int use_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// SSL_set_ex_data stores a pointer, so it gets the address of a static element.
bool set_use(SSL* session, TlsUse use) {
  static std::array<TlsUse, 3> all{TlsUse::turn, TlsUse::http, TlsUse::any_of_them};
  return SSL_set_ex_data(session, use_index(), &all[static_cast<std::size_t>(use)]) == 1;
}

TlsUse use_of(const SSL* session) {
  return *static_cast<const TlsUse*>(SSL_get_ex_data(session, use_index()));
}

// A client that offers only other protocols is accepted too: it chose this port, so it gets the service of
// this port.
int select_protocol(SSL* session, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* list, unsigned int list_size, void*) {
  const std::string_view offered(reinterpret_cast<const char*>(list), list_size);
  for (const std::string_view protocol : protocols_for(use_of(session))) {
    if (!offers(offered, protocol)) continue;
    *chosen = reinterpret_cast<const unsigned char*>(protocol.data());
    *chosen_size = static_cast<unsigned char>(protocol.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

using Certificates = std::vector<Certificate>;

// A client that asks for an unknown name gets the first certificate, and decides itself whether to accept it.
//
// The server "SHALL" say that it has used the name, by an empty server_name in its hello (RFC 6066 §3). Over
// DTLS it does not: Pion, which most native clients use, refuses a hello with an empty server_name, and then
// there is no connection at all. No client is known to miss it.
int select_certificate(SSL* session, int*, void*) {
  const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (!name) return SSL_TLSEXT_ERR_NOACK;
  const Certificates& certificates = ContextData<Certificates>::of(session);
  const auto found =
      std::ranges::find_if(certificates, [name](const Certificate& c) { return c.is_for(name); });
  if (found == certificates.end()) return SSL_TLSEXT_ERR_NOACK;
  if (found != certificates.begin() && !found->use_for(session)) return SSL_TLSEXT_ERR_ALERT_FATAL;
  return SSL_is_dtls(session) == 1 ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

// DtlsAssociation checks the cookie before OpenSSL sees the hello.
int accept_cookie(SSL*, const unsigned char*, unsigned int) { return 1; }

void set_versions(SSL_CTX* context, TlsKind kind, bool only_tls_1_3) {
  if (kind == TlsKind::tls) {
    SSL_CTX_set_min_proto_version(context, only_tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    return;
  }
  SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_cookie_verify_cb(context, accept_cookie);
}

// The configured ciphers, split into those of TLS 1.3 and those of earlier versions.
struct CipherLists {
  std::string tls_1_3;
  std::string tls_1_2;
};

CipherLists split_ciphers(std::string_view list) {
  CipherLists lists;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(':'));
    std::string& to = name.starts_with("TLS_") ? lists.tls_1_3 : lists.tls_1_2;
    if (!name.empty()) to.append(to.empty() ? "" : ":").append(name);
    list.remove_prefix(std::min(name.size() + 1, list.size()));
  }
  return lists;
}

bool set_ciphers(SSL_CTX* context, const CipherLists& lists) {
  const std::string& tls_1_2 = lists.tls_1_2.empty() ? kTls12Ciphers : lists.tls_1_2;
  const std::string& tls_1_3 = lists.tls_1_3.empty() ? kTls13Ciphers : lists.tls_1_3;
  const bool known = SSL_CTX_set_cipher_list(context, tls_1_2.c_str()) == 1 &&
                     SSL_CTX_set_ciphersuites(context, tls_1_3.c_str()) == 1;
  ERR_clear_error();
  return known;
}

template <class Predicate>
const SSL_CIPHER* find_cipher(const SSL_CTX* context, const Predicate& is_it) {
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, i);
    if (is_it(cipher)) return cipher;
  }
  return nullptr;
}

// Returns whether this element of a list, alone, selects any cipher. Elements that only remove or order
// ciphers may name some that this OpenSSL does not have.
bool is_known_cipher(SSL_CTX* context, const std::string& name) {
  if (std::string_view("!-+@").find(name.front()) != std::string_view::npos) return true;
  if (!set_ciphers(context, split_ciphers(name))) return false;
  return !name.starts_with("TLS_") ||
         find_cipher(context, [&](const SSL_CIPHER* cipher) { return SSL_CIPHER_get_name(cipher) == name; });
}

// OpenSSL would accept a list that leaves older clients, and all of DTLS, without a cipher.
void require_usable_ciphers(const SSL_CTX* context, const CipherLists& lists,
                            const std::vector<Certificate>& certificates) {
  if (lists.tls_1_2.empty()) return;
  for (const Certificate& certificate : certificates) {
    if (find_cipher(context, [&](const SSL_CIPHER* cipher) { return certificate.suits(cipher); })) continue;
    throw std::runtime_error("tls.ciphers: none of those for TLS 1.2 and DTLS suits the key of " +
                             certificate.source());
  }
}

}  // namespace

// Ciphers without authenticated encryption are refused, because the sizes of records are computed for those
// with it.
std::optional<std::string> find_cipher_fault(const std::string& ciphers) {
  const std::unique_ptr<SSL_CTX, TlsDeleter> context(SSL_CTX_new(TLS_server_method()));
  if (!context) throw std::bad_alloc();
  for (std::size_t at = 0; at < ciphers.size();) {
    const std::string name = ciphers.substr(at, ciphers.find(':', at) - at);
    if (!name.empty() && !is_known_cipher(context.get(), name))
      return "OpenSSL knows no cipher of the name " + name;
    at += name.size() + 1;
  }
  if (!set_ciphers(context.get(), split_ciphers(ciphers))) return "OpenSSL finds no cipher in " + ciphers;
  if (const SSL_CIPHER* open = find_cipher(
          context.get(), [](const SSL_CIPHER* cipher) { return SSL_CIPHER_is_aead(cipher) != 1; })) {
    return std::string(SSL_CIPHER_get_name(open)) + " has no authenticated encryption";
  }
  if (const SSL_CIPHER* anonymous = find_cipher(context.get(), [](const SSL_CIPHER* cipher) {
        return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null;
      })) {
    return std::string(SSL_CIPHER_get_name(anonymous)) + " is without a certificate: add !aNULL";
  }
  return std::nullopt;
}

TlsContext::TlsContext(const TlsParams& params, std::shared_ptr<TicketKeys> keys, TlsKind kind)
    : context_(SSL_CTX_new(kind == TlsKind::dtls ? DTLS_server_method() : TLS_server_method())) {
  if (!context_) throw std::bad_alloc();
  SSL_CTX* context = context_.get();
  set_versions(context, kind, params.only_tls_1_3);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  if (const auto fault = find_cipher_fault(params.ciphers))
    throw std::runtime_error("tls.ciphers: " + *fault);
  const CipherLists ciphers = split_ciphers(params.ciphers);
  set_ciphers(context, ciphers);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // No client certificates are requested, so handshake messages are short, and this limit is safe.
  SSL_CTX_set_max_cert_list(context, kMaxHandshakeMessage);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                 static_cast<unsigned>(kSessionContext.size()));
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  set_ticket_keys(context, std::move(keys));

  auto certificates = std::make_unique<Certificates>(load_certificates(params));
  require_usable_ciphers(context, ciphers, *certificates);
  certificates->front().use_for(context);
  ContextData<Certificates>::set(context, std::move(certificates));
  SSL_CTX_set_tlsext_servername_callback(context, select_certificate);
}

TlsContext::TlsContext(const std::string& certificate, const std::string& private_key, TlsKind kind)
    : TlsContext(TlsParams{{{certificate}, {private_key}}, {}, false, {}}, std::make_shared<TicketKeys>(),
                 kind) {}

TlsSession TlsContext::new_session(TlsUse use) const {
  TlsSession session(SSL_new(context_.get()));
  if (!session || !set_use(session.get(), use)) throw std::bad_alloc();
  SSL_set_accept_state(session.get());
  return session;
}

}  // namespace turnpike::net
