#include "client/stream.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "client/alpn.hpp"
#include "net/socket_address.hpp"
#include "net/udp_socket.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void throw_error(int error, const char* what) {
  throw std::system_error(error, std::generic_category(), what);
}

net::Fd open_socket(const Endpoint& local) {
  net::Fd fd(
      socket(local.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw_error(errno, "socket");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const net::SocketAddress address(local);
  if (bind(fd.get(), &address.any, address.size()) != 0) {
    throw std::system_error(errno, std::generic_category(), "bind to " + local.to_string());
  }
  return fd;
}

// All connections share one context, since reading the trusted certificates of this machine takes longer than
// a handshake.
SSL_CTX* tls_context() {
  struct Deleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  static const std::unique_ptr<SSL_CTX, Deleter> context = [] {
    std::unique_ptr<SSL_CTX, Deleter> made(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_default_verify_paths(made.get());
    return made;
  }();
  return context.get();
}

std::string last_tls_error() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "the server closed the connection";
}

}  // namespace

StreamSocket::StreamSocket(const Endpoint& local, const Endpoint& server, const std::optional<Tls>& tls,
                           milliseconds timeout)
    : server_(server), fd_(open_socket(local)) {
  const Clock::time_point deadline = Clock::now() + timeout;
  connect(server, deadline);
  if (tls) start_tls(*tls, deadline);
}

void StreamSocket::connect(const Endpoint& server, Clock::time_point deadline) {
  const net::SocketAddress address(server);
  if (::connect(fd(), &address.any, address.size()) == 0) return;
  if (errno != EINPROGRESS) throw_error(errno, "connect");
  if (!wait(POLLOUT, deadline)) throw_error(ETIMEDOUT, "connect");
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) throw_error(error, "connect");
}

void StreamSocket::start_tls(const Tls& tls, Clock::time_point deadline) {
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to the socket itself and cannot suppress it
  tls_.reset(SSL_new(tls_context()));
  SSL_set_fd(tls_.get(), fd());
  SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(kProtocols.data()),
                      static_cast<unsigned>(kProtocols.size()));
  if (IpAddress::parse(tls.server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), tls.server_name.c_str());
  } else if (!tls.server_name.empty()) {
    SSL_set_tlsext_host_name(tls_.get(), tls.server_name.c_str());
    SSL_set1_host(tls_.get(), tls.server_name.c_str());
  }
  ERR_clear_error();
  for (;;) {
    const int result = SSL_connect(tls_.get());
    if (result == 1) return;
    const int error = SSL_get_error(tls_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      throw std::runtime_error("no TLS with " + server_.to_string() + ": " + last_tls_error());
    }
    if (!wait(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
      throw_error(ETIMEDOUT, "TLS handshake");
  }
}

Endpoint StreamSocket::local() const { return net::local_endpoint(fd()); }

std::string StreamSocket::untrusted() const {
  const long result = tls_ ? SSL_get_verify_result(tls_.get()) : X509_V_OK;
  return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
}

bool StreamSocket::wait(short events, Clock::time_point deadline) const {
  for (;;) {
    const auto left = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - Clock::now()));
    pollfd ready{fd(), events, 0};
    const int count = poll(&ready, 1, static_cast<int>(left.count()));
    if (count < 0 && errno != EINTR) throw_error(errno, "poll");
    if (count >= 0) return count > 0;
  }
}

void StreamSocket::send(Bytes bytes) {
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(30);
  ERR_clear_error();
  while (!bytes.empty()) {
    const int size = static_cast<int>(bytes.size());
    const ssize_t sent = tls_ ? SSL_write(tls_.get(), bytes.data(), size)
                              : ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
      continue;
    }
    const bool full = tls_ ? SSL_get_error(tls_.get(), static_cast<int>(sent)) == SSL_ERROR_WANT_WRITE
                           : errno == EAGAIN || errno == EINTR;
    if (!full) throw_error(tls_ ? ECONNRESET : errno, "send");
    if (!wait(POLLOUT, deadline)) throw_error(ETIMEDOUT, "send");
  }
}

std::optional<Datagram> StreamSocket::receive(milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  for (;;) {
    if (auto message = take_message()) return message;
    if (closed_ || !read_more(deadline)) return std::nullopt;
  }
}

std::vector<std::uint8_t> StreamSocket::receive_bytes(std::size_t count, milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  while (received_.size() < count && !closed_ && read_more(deadline)) {
  }
  const auto end = received_.begin() + static_cast<std::ptrdiff_t>(std::min(count, received_.size()));
  std::vector<std::uint8_t> bytes(received_.begin(), end);
  received_.erase(received_.begin(), end);
  return bytes;
}

bool StreamSocket::read_more(Clock::time_point deadline) {
  while (!read_available()) {
    if (closed_) return true;
    if (!wait(POLLIN, deadline)) return false;
  }
  return true;
}

bool StreamSocket::read_available() {
  std::array<std::uint8_t, 65536> chunk;
  ERR_clear_error();
  const ssize_t got = tls_ ? SSL_read(tls_.get(), chunk.data(), static_cast<int>(chunk.size()))
                           : recv(fd(), chunk.data(), chunk.size(), 0);
  if (got > 0) {
    received_.insert(received_.end(), chunk.begin(), chunk.begin() + got);
    return true;
  }
  const bool empty = tls_ ? SSL_get_error(tls_.get(), static_cast<int>(got)) == SSL_ERROR_WANT_READ
                          : got < 0 && (errno == EAGAIN || errno == EINTR);
  if (!empty) closed_ = true;
  return false;
}

std::optional<Datagram> StreamSocket::take_message() {
  const stun::Frame frame = stun::next_frame(received_);
  if (frame.kind == stun::Frame::Kind::incomplete) return std::nullopt;
  if (frame.kind == stun::Frame::Kind::invalid) {
    closed_ = true;  // the framing is lost
    return std::nullopt;
  }
  Datagram message{{frame.message.begin(), frame.message.end()}, server_};
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(frame.consumed));
  return message;
}

std::optional<Answer> exchange(StreamSocket& socket, TurnClient& client, Request request,
                               milliseconds timeout, const std::function<void(const Event&)>& on_other) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + timeout;
  Clock::time_point sent = Clock::now();
  socket.send(request.bytes);
  for (;;) {
    const auto left = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - Clock::now()));
    auto message = socket.receive(left);
    if (!message) break;
    Event event = client.receive(message->bytes);
    const auto* success = std::get_if<Success>(&event);
    const auto* failure = std::get_if<Failure>(&event);
    if ((success && success->message.transaction_id() == request.id) ||
        (failure && failure->message.transaction_id() == request.id)) {
      return Answer{std::move(*message), std::move(event),
                    std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent)};
    }
    if (auto* retry = std::get_if<Retry>(&event); retry && retry->replaces == request.id) {
      request = std::move(retry->request);
      sent = Clock::now();
      socket.send(request.bytes);
    } else if (on_other) {
      on_other(event);
    }
  }
  client.abandon(request.id);
  return std::nullopt;
}

}  // namespace turnpike::client
