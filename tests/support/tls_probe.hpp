// A TLS client that sends exactly what a test wants: names, versions, protocols, an old session. It blocks
// for at most ten seconds.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "net/fd.hpp"
#include "net/socket_address.hpp"
#include "net/tls_context.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::test {

// The first octets of a TLS client: its ClientHello, with this server name if one is given.
inline std::string client_hello(const char* server_name = nullptr) {
  const std::unique_ptr<SSL_CTX, net::TlsDeleter> context(SSL_CTX_new(TLS_client_method()));
  const net::TlsSession session(SSL_new(context.get()));
  BIO* wire = BIO_new(BIO_s_mem());
  SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), wire);
  if (server_name) SSL_set_tlsext_host_name(session.get(), server_name);
  SSL_connect(session.get());
  const char* data = nullptr;
  const long size = BIO_get_mem_data(wire, &data);
  return {data, static_cast<std::size_t>(size)};
}

// Opens a TCP connection, from `local` if it is given. Throws std::system_error.
inline net::Fd connect_to(const Endpoint& server, const std::optional<Endpoint>& local = {}) {
  net::Fd fd(socket(server.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (local) {
    const net::SocketAddress from(*local);
    if (bind(fd.get(), &from.any, from.size()) != 0) throw std::system_error(errno, std::generic_category());
  }
  const net::SocketAddress address(server);
  if (connect(fd.get(), &address.any, address.size()) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect");
  }
  return fd;
}

// Reads until the other side closes, or until `enough(all)` is true.
template <class Enough>
std::string read_until(int fd, Enough&& enough) {
  std::string all;
  char chunk[4096];
  while (!enough(all)) {
    const ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got <= 0) break;
    all.append(chunk, static_cast<std::size_t>(got));
  }
  return all;
}
inline std::string read_all(int fd) {
  return read_until(fd, [](const std::string&) { return false; });
}
inline void write_all(int fd, std::string_view text) { ::send(fd, text.data(), text.size(), MSG_NOSIGNAL); }

class TlsProbe {
 public:
  struct Hello {
    int version = 0;  // 0: the newest version that both have
    std::string server_name{};
    std::string protocols{};  // in the form of ALPN on the wire
    SSL_SESSION* session = nullptr;
    const char* ciphers = nullptr;  // for TLS 1.2
  };

  explicit TlsProbe(const Endpoint& server) : TlsProbe(connect_to(server), Hello()) {}
  TlsProbe(const Endpoint& server, const Hello& hello) : TlsProbe(connect_to(server), hello) {}
  TlsProbe(net::Fd fd, const Hello& hello) : fd_(std::move(fd)), context_(SSL_CTX_new(TLS_client_method())) {
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_.get());
    if (hello.version != 0) SSL_set_min_proto_version(ssl_.get(), hello.version);
    if (hello.version != 0) SSL_set_max_proto_version(ssl_.get(), hello.version);
    if (!hello.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), hello.server_name.c_str());
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(hello.protocols.data()),
                        static_cast<unsigned>(hello.protocols.size()));
    if (hello.ciphers) SSL_set_cipher_list(ssl_.get(), hello.ciphers);
    if (hello.session) SSL_set_session(ssl_.get(), hello.session);
    open_ = SSL_connect(ssl_.get()) == 1;
  }
  // Marks the session as closed properly, because one without a close_notify could not be resumed.
  ~TlsProbe() { SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }
  TlsProbe(const TlsProbe&) = delete;
  TlsProbe& operator=(const TlsProbe&) = delete;

  bool is_open() const { return open_; }
  // Continues the handshake when the connection is non-blocking.
  void go_on() { open_ = SSL_connect(ssl_.get()) == 1; }
  int fd() const { return fd_.get(); }
  SSL* ssl() const { return ssl_.get(); }
  SSL_SESSION* session() const { return SSL_get_session(ssl_.get()); }
  bool resumed() const { return open_ && SSL_session_reused(ssl_.get()) == 1; }
  // The common name in the certificate of the server.
  std::string shown() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_.get()),
                                                                  X509_free);
    char name[80] = "";
    if (certificate) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
    }
    return name;
  }
  std::string protocol() const {
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &data, &size);
    return {reinterpret_cast<const char*>(data), size};
  }

  bool write(std::string_view text) {
    return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size());
  }
  // Returns an empty text at the end.
  std::string read() {
    char chunk[20000];
    const int size = SSL_read(ssl_.get(), chunk, sizeof chunk);
    return {chunk, static_cast<std::size_t>(std::max(size, 0))};
  }
  std::string read_all() {
    std::string all;
    for (std::string part = read(); !part.empty(); part = read()) all += part;
    return all;
  }

 private:
  net::Fd fd_;
  std::unique_ptr<SSL_CTX, net::TlsDeleter> context_;
  net::TlsSession ssl_;
  bool open_ = false;
};

}  // namespace turnpike::test
