#include "net/tls_endpoint.hpp"

#include <openssl/err.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "net/custom_bio.hpp"

namespace turnpike::net {

// What OpenSSL reads from and writes to during one call. It waits for input alone: there is always room for
// output, or the output is lost (a datagram) or the connection ends (a stream).
struct TlsEndpoint::Wire {
  Bytes in;
  WireBuffer& out;

  Wire(SSL* ssl, Bytes input, WireBuffer& output) : in(input), out(output) {
    BIO_set_data(SSL_get_rbio(ssl), this);
    // To clear an empty queue costs more than to look.
    if (ERR_peek_error() != 0) ERR_clear_error();
  }

  static Wire& of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    Bytes& in = of(bio).in;
    BIO_clear_retry_flags(bio);
    if (in.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(in.size(), static_cast<std::size_t>(std::max(size, 0)));
    std::memcpy(to, in.data(), taken);
    in = in.subspan(taken);
    return static_cast<int>(taken);
  }

  static int write(BIO* bio, const char* from, int size) {
    WireBuffer& out = of(bio).out;
    BIO_clear_retry_flags(bio);
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(from), static_cast<std::size_t>(size));
    // The network may lose a datagram as well, and DTLS lives with that.
    return out.append(bytes) || out.kind() == WireBuffer::Kind::datagrams ? size : -1;
  }

  static long control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : command == BIO_CTRL_DGRAM_QUERY_MTU ? kHandshakeMtu : 0;
  }
};

TlsEndpoint::TlsEndpoint(TlsSession session) : ssl_(std::move(session)) {
  BIO* bio = make_custom_bio<Wire>();
  SSL_set_bio(ssl_.get(), bio, bio);
  if (SSL_is_dtls(ssl_.get()) == 1) SSL_set_mtu(ssl_.get(), kHandshakeMtu);
}

// The last call of SSL_read_ex(), which would say that there is nothing more, is left out where it can be: it
// gets and frees a buffer of 16 kB.
std::size_t TlsEndpoint::receive(Bytes cipher_text, MutableBytes room, WireBuffer& out) {
  const Wire wire(ssl_.get(), cipher_text, out);
  std::size_t received = 0;
  while (can_receive() && received < room.size()) {
    std::size_t size = 0;
    const int result = SSL_read_ex(ssl_.get(), room.data() + received, room.size() - received, &size);
    received += size;
    settle(result);
    if (result != 1 || (wire.in.empty() && SSL_has_pending(ssl_.get()) == 0)) break;
  }
  return received;
}

void TlsEndpoint::settle(int result) {
  const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
  const bool is_finished = SSL_is_init_finished(ssl_.get()) == 1;
  const bool is_open = error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ;
  if (!was_established() && !is_finished) {
    if (!is_open) state_ = State::failed;
  } else if (error == SSL_ERROR_ZERO_RETURN) {
    state_ = State::client_has_left;
  } else if (is_open && is_finished) {
    state_ = State::established;
  } else {
    // Either an error, or a handshake message that has begun after the handshake and has not ended with its
    // record. No client needs that; OpenSSL would keep up to ten such messages of 16 kB each, and would send
    // nothing before they are whole.
    state_ = State::ended;
  }
}

bool TlsEndpoint::send(Bytes text, WireBuffer& out) {
  const Wire wire(ssl_.get(), {}, out);
  if (state_ == State::resting) {
    if (SSL_alloc_buffers(ssl_.get()) != 1) return false;
    state_ = State::established;
  }
  std::size_t written = 0;
  if (SSL_write_ex(ssl_.get(), text.data(), text.size(), &written) == 1) return true;
  if (out.kind() == WireBuffer::Kind::stream) state_ = State::ended;
  return false;
}

void TlsEndpoint::say_goodbye(WireBuffer& out) {
  if (!can_send()) return;
  const Wire wire(ssl_.get(), {}, out);
  const bool has_buffers = state_ != State::resting || SSL_alloc_buffers(ssl_.get()) == 1;
  if (has_buffers) SSL_shutdown(ssl_.get());
  state_ = State::ended;
}

void TlsEndpoint::rest() {
  if (state_ == State::established && SSL_free_buffers(ssl_.get()) == 1) state_ = State::resting;
}

std::size_t TlsEndpoint::longest_text() const {
  const std::uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_.get()));
  return code == TLSEXT_max_fragment_length_DISABLED ? kLongestText : std::size_t{256} << code;
}

std::size_t TlsEndpoint::longest_record() const {
  constexpr std::size_t kLongestOverhead = 320;  // as OpenSSL has it
  return (SSL_get_session(ssl_.get()) ? longest_text() : kLongestText) + kLongestOverhead;
}

// --- DTLS alone

// The cookie was verified before there was an endpoint. DTLSv1_listen() sets the message numbers to what a
// client with a cookie goes on with.
void TlsEndpoint::listen(Bytes hello, WireBuffer& out) {
  const std::unique_ptr<BIO_ADDR, decltype(&BIO_ADDR_free)> nobody(BIO_ADDR_new(), BIO_ADDR_free);
  if (!nobody) throw std::bad_alloc();
  Wire wire(ssl_.get(), hello, out);
  const int heard = DTLSv1_listen(ssl_.get(), nobody.get());
  wire.in = {};
  if (heard == 1) return settle(SSL_do_handshake(ssl_.get()));
  state_ = State::failed;
}

// A tag of 16 octets, and with AES-GCM a nonce of 8 (RFC 5288 §3, RFC 7905 §2).
std::size_t TlsEndpoint::record_overhead() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  return cipher && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305 ? 16 : 24;
}

std::optional<Duration> TlsEndpoint::retransmits_in() const {
  timeval left{};
  if (state_ != State::shaking_hands || DTLSv1_get_timeout(ssl_.get(), &left) != 1) return std::nullopt;
  return std::chrono::seconds(left.tv_sec) +
         std::chrono::ceil<Duration>(std::chrono::microseconds(left.tv_usec));
}

void TlsEndpoint::retransmit(WireBuffer& out) {
  const Wire wire(ssl_.get(), {}, out);
  if (DTLSv1_handle_timeout(ssl_.get()) < 0) state_ = State::failed;
}

}  // namespace turnpike::net
