// The server's side of one TLS or DTLS connection, without a socket: it takes cipher text, returns plain
// text, and appends output to a buffer of the caller. OpenSSL does all of the protocol; this class tracks the
// state of the connection and stores nothing else.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "net/bounded_buffer.hpp"
#include "net/tls_context.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::net {

// Belongs to one thread at a time.
class TlsEndpoint {
 public:
  enum class State : std::uint8_t {
    shaking_hands,
    failed,  // the handshake has failed
    established,
    resting,          // established; OpenSSL's buffers are freed until they are needed again
    client_has_left,  // the client has sent close_notify: it sends no more data, and can still receive
    ended,            // was established; we have sent close_notify, or one side has broken the protocol
  };

  // The maximum plain text of one record (RFC 5246 §6.2.1 and RFC 8446 §5.1).
  static constexpr std::size_t kMaxPlaintext = 16 << 10;
  // The maximum size of one whole record, in both protocols and in all versions.
  static constexpr std::size_t kMaxRecord = kMaxPlaintext + 2048 + 13;
  // The maximum size of a datagram during a DTLS handshake. It passes every path that carries IPv6.
  static constexpr long kHandshakeMtu = 1200;

  // Throws std::bad_alloc.
  explicit TlsEndpoint(TlsSession session);

  State state() const { return state_; }
  // Whether the handshake was completed, even if the connection has ended since.
  bool was_established() const { return state_ >= State::established; }
  bool can_receive() const {
    return state_ == State::shaking_hands || state_ == State::established || state_ == State::resting;
  }
  bool can_send() const { return was_established() && state_ != State::ended; }

  // Processes all of `cipher_text`: any part of a stream, or one record of a datagram. Writes plain text into
  // `room` and returns its size. For a stream, `room` must be at least kMaxRecord longer than
  // `cipher_text`. For a record, it must be at least as long, and may be the same memory.
  std::size_t receive(Bytes cipher_text, MutableBytes room, WireBuffer& out);

  // Sends `text` in one record, or in several when it is too long for one on a stream. Call it only when
  // can_send(). Returns false when OpenSSL fails or `out` is full; that ends a stream.
  bool send(Bytes text, WireBuffer& out);

  // Sends a close_notify alert, if the connection can still send.
  void send_close_notify(WireBuffer& out);

  // Frees OpenSSL's buffers after the handshake. A DTLS association would otherwise keep about 33 kB.
  void free_buffers();

  // The maximum plain text of one record to the client. A client may ask for less than usual (RFC 6066 §4).
  std::size_t max_plaintext() const;
  // The maximum body size of a record from the client, by OpenSSL's rule.
  std::size_t max_record() const;

  // --- DTLS alone
  // Begins with a hello whose cookie was verified.
  void listen(Bytes hello, WireBuffer& out);
  // The difference between the size of an encrypted record's body and its text.
  std::size_t record_overhead() const;
  // Whether the client's hello is not yet complete, so no version is agreed on.
  bool expects_hello() const {
    const OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl_.get());
    return state == TLS_ST_BEFORE || state == TLS_ST_SR_CLNT_HELLO;
  }
  // Whether the client has sent ChangeCipherSpec, so that its Finished comes next.
  bool expects_finished() const { return SSL_get_state(ssl_.get()) == TLS_ST_SR_CHANGE; }
  // During the handshake: the time until the last flight has to be sent again, by OpenSSL's clock.
  std::optional<Duration> retransmits_in() const;
  void retransmit(WireBuffer& out);

  const SSL* ssl() const { return ssl_.get(); }
  // Gives the connection to another owner. The endpoint has ended then.
  TlsSession release() {
    state_ = State::ended;
    return std::move(ssl_);
  }

 private:
  struct Wire;

  // Sets the state from the `result` of an OpenSSL call.
  void handle_result(int result);

  TlsSession ssl_;
  State state_ = State::shaking_hands;
};

}  // namespace turnpike::net
