#include "client/dtls.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "client/alpn.hpp"
#include "client/exchange.hpp"
#include "net/custom_bio.hpp"

namespace turnpike::client {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr long kHandshakeMtu = 1200;
constexpr std::size_t kMaxMessage = 16 << 10;

// All connections share one context, since reading the trusted certificates of this machine takes longer than
// a handshake.
SSL_CTX* dtls_context() {
  struct Deleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  static const std::unique_ptr<SSL_CTX, Deleter> context = [] {
    std::unique_ptr<SSL_CTX, Deleter> made(SSL_CTX_new(DTLS_client_method()));
    SSL_CTX_set_min_proto_version(made.get(), DTLS1_2_VERSION);
    SSL_CTX_set_options(made.get(), SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_default_verify_paths(made.get());
    return made;
  }();
  return context.get();
}

// Buffers that a call needs and the next call can use again, because a load generator has thousands of
// clients.
struct Scratch {
  std::array<std::uint8_t, kMaxDatagram> datagram;
  std::array<std::uint8_t, kMaxMessage> message;
};
Scratch& scratch() {
  thread_local Scratch scratch;
  return scratch;
}

void wait_readable(int fd, milliseconds timeout) {
  pollfd ready{fd, POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(timeout.count())) < 0 && errno != EINTR) {
    throw std::system_error(errno, std::generic_category(), "poll");
  }
}

}  // namespace

// --- DtlsClient: without a socket

struct DtlsClient::Wire {
  std::optional<Bytes> in;
  std::vector<std::uint8_t> out;
  std::vector<std::size_t> sizes;

  static Wire& of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    std::optional<Bytes>& in = of(bio).in;
    BIO_clear_retry_flags(bio);
    if (!in) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(in->size(), static_cast<std::size_t>(size));
    std::memcpy(to, in->data(), taken);
    in.reset();
    return static_cast<int>(taken);
  }

  static int write(BIO* bio, const char* from, int size) {
    Wire& wire = of(bio);
    wire.out.insert(wire.out.end(), from, from + size);
    wire.sizes.push_back(static_cast<std::size_t>(size));
    return size;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
};

DtlsClient::DtlsClient(const std::string& server_name)
    : wire_(std::make_unique<Wire>()), ssl_(SSL_new(dtls_context())) {
  BIO* bio = net::make_custom_bio<Wire>(wire_.get());
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_mtu(ssl_.get(), kHandshakeMtu);
  SSL_set_connect_state(ssl_.get());
  SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(kProtocols.data()),
                      static_cast<unsigned>(kProtocols.size()));
  if (IpAddress::parse(server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), server_name.c_str());
  } else if (!server_name.empty()) {
    SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str());
    SSL_set1_host(ssl_.get(), server_name.c_str());
  }
}

DtlsClient::~DtlsClient() = default;
DtlsClient::DtlsClient(DtlsClient&&) noexcept = default;
DtlsClient& DtlsClient::operator=(DtlsClient&&) noexcept = default;

void DtlsClient::feed(Bytes datagram) {
  wire_->in.reset();
  if (!datagram.empty()) wire_->in = datagram;
}

Bytes DtlsClient::read() {
  if (closed_) return {};
  ERR_clear_error();
  std::array<std::uint8_t, kMaxMessage>& message = scratch().message;
  const int size = SSL_read(ssl_.get(), message.data(), static_cast<int>(message.size()));
  if (size > 0) return Bytes(message).first(static_cast<std::size_t>(size));
  note(size);
  return {};
}

void DtlsClient::note(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return;
  closed_ = true;
  if (error == SSL_ERROR_ZERO_RETURN) return;
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  problem_ = reason ? reason : "DTLS failed";
}

void DtlsClient::send(Bytes message) {
  ERR_clear_error();
  SSL_write(ssl_.get(), message.data(), static_cast<int>(message.size()));
}

std::optional<milliseconds> DtlsClient::retransmits_in() const {
  timeval left{};
  if (DTLSv1_get_timeout(ssl_.get(), &left) != 1) return std::nullopt;
  return std::chrono::seconds(left.tv_sec) +
         std::chrono::ceil<milliseconds>(std::chrono::microseconds(left.tv_usec));
}

void DtlsClient::on_timeout() {
  ERR_clear_error();
  if (DTLSv1_handle_timeout(ssl_.get()) < 0) note(-1);
}

void DtlsClient::send_close_notify() {
  ERR_clear_error();
  if (is_established()) SSL_shutdown(ssl_.get());
}

bool DtlsClient::is_established() const { return SSL_is_init_finished(ssl_.get()) == 1; }

std::string DtlsClient::untrusted() const {
  const long result = SSL_get_verify_result(ssl_.get());
  return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
}

Bytes DtlsClient::outgoing() const { return wire_->out; }

const std::vector<std::size_t>& DtlsClient::outgoing_sizes() const { return wire_->sizes; }

void DtlsClient::forget_outgoing() {
  wire_->out.clear();
  wire_->sizes.clear();
}

// --- DtlsSocket: with a socket

DtlsSocket::DtlsSocket(const Endpoint& local, const Endpoint& server, const std::string& server_name,
                       milliseconds timeout)
    : server_(server), socket_(local), dtls_(server_name) {
  socket_.connect(server);
  do_handshake(timeout);
}

DtlsSocket::~DtlsSocket() {
  if (fd() < 0) return;
  dtls_.send_close_notify();
  transmit();
}

void DtlsSocket::do_handshake(milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  dtls_.start();
  transmit();
  while (!dtls_.is_established()) {
    if (dtls_.closed())
      throw std::runtime_error("no DTLS with " + server_.to_string() + ": " + dtls_.problem());
    if (time_until(deadline).count() == 0)
      throw std::system_error(ETIMEDOUT, std::generic_category(), "DTLS handshake");
    const milliseconds again = dtls_.retransmits_in().value_or(time_until(deadline));
    if (again.count() == 0) dtls_.on_timeout();
    transmit();
    wait_readable(fd(), std::min(again, time_until(deadline)));
    receive_next([](Bytes) {});
  }
}

Bytes DtlsSocket::take_datagram() {
  std::array<std::uint8_t, kMaxDatagram>& datagram = scratch().datagram;
  const ssize_t size = recv(fd(), datagram.data(), datagram.size(), MSG_DONTWAIT);
  if (size < 0 && errno == ECONNREFUSED && !dtls_.is_established())
    throw std::system_error(errno, std::generic_category(), "DTLS handshake");
  return Bytes(datagram).first(size < 0 ? 0 : static_cast<std::size_t>(size));
}

void DtlsSocket::transmit() {
  dtls_.transmit([&](Bytes datagram) {
    // The kernel may report the refusal of an earlier datagram here. Send once more, so that this one is not
    // lost.
    if (::send(fd(), datagram.data(), datagram.size(), 0) < 0)
      ::send(fd(), datagram.data(), datagram.size(), 0);
  });
}

void DtlsSocket::send(Bytes message) {
  dtls_.send(message);
  transmit();
}

std::optional<Datagram> DtlsSocket::receive(milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  while (waiting_.empty() && !closed()) {
    receive_next([&](Bytes message) { waiting_.push_back({{message.begin(), message.end()}, server_}); });
    if (!waiting_.empty() || closed()) break;
    if (time_until(deadline).count() == 0) return std::nullopt;
    wait_readable(fd(), time_until(deadline));
  }
  if (waiting_.empty()) return std::nullopt;
  Datagram first = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  return first;
}

std::optional<Answer> exchange(DtlsSocket& socket, TurnClient& client, Request request,
                               const Retransmission& timers,
                               const std::function<void(const Event&)>& on_other) {
  return exchange_datagrams([&](Bytes bytes) { socket.send(bytes); },
                            [&](milliseconds wait) { return socket.receive(wait); }, client,
                            std::move(request), timers, on_other);
}

}  // namespace turnpike::client
