// The server's end of one TLS or DTLS connection, without a socket: cipher text goes in, plain text comes
// out, and what has to be sent goes into a buffer of the caller. OpenSSL does all of it, for the whole life
// of the connection; this knows in which state it is and keeps nothing else.
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
    failed,  // no connection has come of the handshake
    established,
    resting,          // established, and OpenSSL's buffers have been given back until there is more to do
    client_has_left,  // the client said goodbye: it says nothing more, and answers still reach it
    ended,            // it was established, and we said goodbye or one side broke a rule
  };

  // The most plain text that one record can have (RFC 5246 §6.2.1 and RFC 8446 §5.1),
  static constexpr std::size_t kLongestText = 16 << 10;
  // and the most octets that one whole record can have, in either protocol and in any version.
  static constexpr std::size_t kLongestRecord = kLongestText + 2048 + 13;
  // The longest datagram of a DTLS handshake: it passes every path that carries IPv6.
  static constexpr long kHandshakeMtu = 1200;

  // Throws std::bad_alloc.
  explicit TlsEndpoint(TlsSession session);

  State state() const { return state_; }
  // Whether its handshake was done, even if it has ended since.
  bool was_established() const { return state_ >= State::established; }
  bool can_receive() const {
    return state_ == State::shaking_hands || state_ == State::established || state_ == State::resting;
  }
  bool can_send() const { return was_established() && state_ != State::ended; }

  // Takes all of `cipher_text`: any part of a stream, or one record of a datagram. Writes plain text into
  // `room` and returns how much it was. `room` is at least as long as `cipher_text`, and for a stream by
  // kLongestRecord longer; for a record it may be the same memory.
  std::size_t receive(Bytes cipher_text, MutableBytes room, WireBuffer& out);

  // Sends `text` in one record, and on a stream in as many as it takes if it is longer than a record may be.
  // Only when can_send(). False when OpenSSL fails or `out` is full, which ends a stream.
  bool send(Bytes text, WireBuffer& out);

  // Tells the client that this is the end, if there is anybody to be told.
  void say_goodbye(WireBuffer& out);

  // Gives OpenSSL's buffers back if the handshake is done: some 33 kB, which a DTLS association keeps
  // otherwise.
  void rest();

  // How much text one record to the client may have: a client may ask for less than usual (RFC 6066 §4).
  std::size_t longest_text() const;
  // How many octets the body of a record may have that the other side sends, by OpenSSL's rule.
  std::size_t longest_record() const;

  // --- DTLS alone
  // Begins with a hello whose cookie has been verified.
  void listen(Bytes hello, WireBuffer& out);
  // What a record under the keys is longer than its text.
  std::size_t record_overhead() const;
  // Whether there is not all of the client's hello yet, and so no version that both have agreed on.
  bool expects_hello() const {
    const OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl_.get());
    return state == TLS_ST_BEFORE || state == TLS_ST_SR_CLNT_HELLO;
  }
  // Whether the client has changed its cipher, and its Finished is what comes next.
  bool expects_finished() const { return SSL_get_state(ssl_.get()) == TLS_ST_SR_CHANGE; }
  // While it shakes hands: how long until the last flight is to be sent again, by OpenSSL's clock.
  std::optional<Duration> retransmits_in() const;
  void retransmit(WireBuffer& out);

  const SSL* ssl() const { return ssl_.get(); }
  // The connection, for somebody else to go on with. This has ended then.
  TlsSession release() {
    state_ = State::ended;
    return std::move(ssl_);
  }

 private:
  struct Wire;

  // Sets the state after a call of OpenSSL that has returned `result`.
  void settle(int result);

  TlsSession ssl_;
  State state_ = State::shaking_hands;
};

}  // namespace turnpike::net
