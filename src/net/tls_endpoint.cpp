#include "net/tls_endpoint.hpp"

#include <openssl/err.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "net/custom_bio.hpp"

namespace turnpike::net {

// The input and output of OpenSSL during one call. OpenSSL can only wait for input. When there is no room for
// output, a datagram is lost, or a stream connection ends.
struct TlsEndpoint::Wire {
  Bytes in;
  WireBuffer& out;

  Wire(SSL* ssl, Bytes input, WireBuffer& output) : in(input), out(output) {
    BIO_set_data(SSL_get_rbio(ssl), this);
    // ERR_clear_error() costs more than to look whether the queue is empty.
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
    // DTLS tolerates the loss of a datagram.
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

// Avoids the last call of SSL_read_ex(), which would only report that there is no more input, because that
// call allocates and frees a buffer of 16 kB.
std::size_t TlsEndpoint::receive(Bytes cipher_text, MutableBytes room, WireBuffer& out) {
  const Wire wire(ssl_.get(), cipher_text, out);
  std::size_t received = 0;
  while (can_receive() && received < room.size()) {
    std::size_t size = 0;
    const int result = SSL_read_ex(ssl_.get(), room.data() + received, room.size() - received, &size);
    received += size;
    handle_result(result);
    if (result != 1 || (wire.in.empty() && SSL_has_pending(ssl_.get()) == 0)) break;
  }
  return received;
}

void TlsEndpoint::handle_result(int result) {
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
    // Either an error, or a handshake message after the handshake that is longer than its record. No client
    // needs such messages. OpenSSL would keep up to ten of them with 16 kB each, and would not send anything
    // until they are complete.
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

void TlsEndpoint::send_close_notify(WireBuffer& out) {
  if (!can_send()) return;
  const Wire wire(ssl_.get(), {}, out);
  const bool has_buffers = state_ != State::resting || SSL_alloc_buffers(ssl_.get()) == 1;
  if (has_buffers) SSL_shutdown(ssl_.get());
  state_ = State::ended;
}

void TlsEndpoint::free_buffers() {
  if (state_ == State::established && SSL_free_buffers(ssl_.get()) == 1) state_ = State::resting;
}

std::size_t TlsEndpoint::max_plaintext() const {
  const std::uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_.get()));
  return code == TLSEXT_max_fragment_length_DISABLED ? kMaxPlaintext : std::size_t{256} << code;
}

std::size_t TlsEndpoint::max_record() const {
  constexpr std::size_t kMaxOverhead = 320;  // OpenSSL's own limit
  return (SSL_get_session(ssl_.get()) ? max_plaintext() : kMaxPlaintext) + kMaxOverhead;
}

// --- Only DTLS

// The cookie was verified before this endpoint was made. DTLSv1_listen() sets the message numbers to those
// that follow a hello with a cookie.
void TlsEndpoint::listen(Bytes hello, WireBuffer& out) {
  const std::unique_ptr<BIO_ADDR, decltype(&BIO_ADDR_free)> nobody(BIO_ADDR_new(), BIO_ADDR_free);
  if (!nobody) throw std::bad_alloc();
  Wire wire(ssl_.get(), hello, out);
  const int heard = DTLSv1_listen(ssl_.get(), nobody.get());
  wire.in = {};
  if (heard == 1) return handle_result(SSL_do_handshake(ssl_.get()));
  state_ = State::failed;
}

// A record contains a tag of 16 octets, and for AES-GCM an explicit nonce of 8 (RFC 5288 §3, RFC 7905 §2).
// With AES-CCM_8 it contains a tag of 8 octets and the nonce (RFC 6655 §4).
std::size_t TlsEndpoint::record_overhead() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  if (!cipher) return 24;
  const bool has_short_tag = std::string_view(SSL_CIPHER_get_name(cipher)).ends_with("CCM8");
  return has_short_tag || SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305 ? 16 : 24;
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
