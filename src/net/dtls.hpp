// The server's side of one client's DTLS association (RFC 6347, RFC 7350). It converts received datagrams
// into messages, and messages into datagrams. It has no socket: the datagrams to be sent are left in the
// buffers of the thread. It decides which records OpenSSL sees, so that nobody can make OpenSSL hold much
// memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/bounded_buffer.hpp"
#include "net/counters.hpp"
#include "net/dtls_hello.hpp"
#include "net/tls_context.hpp"
#include "net/tls_endpoint.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::net {

// Buffers that all associations of one thread share. They must outlive the associations.
class DtlsBuffers {
 public:
  DtlsBuffers() { plain_.reserve(); }

  // Ask this before each call of an association. When it is false, send all datagrams and call reset(). A
  // call without room is harmless: datagrams that do not fit are dropped.
  bool has_room() const { return out_.room() >= kMaxAtOnce; }
  // The datagrams to be sent since the last forget(). They stay in place until reset().
  std::span<const Bytes> datagrams() const { return out_.datagrams(); }
  void forget() { out_.forget_datagrams(); }
  void reset() { out_.clear(); }

  // Call this when the messages that associations have received are no longer used.
  void release_received() { early_.clear(); }

  // Adds a datagram that belongs to no association.
  void add(Bytes datagram) { (void)out_.append(datagram); }
  // The number of datagrams that did not fit.
  const Counter& lost() const { return out_.lost(); }

  DtlsCounters counters;

 private:
  friend class DtlsAssociation;

  static constexpr std::size_t kSize = 256 << 10;
  static constexpr std::size_t kMaxAtOnce = 64 << 10;  // a handshake flight with many certificates

  WireBuffer out_{WireBuffer::Kind::datagrams, kSize};
  BoundedBuffer plain_{TlsEndpoint::kMaxPlaintext};  // one whole message
  // The memory of messages that associations received early, until release_received().
  std::vector<BoundedBuffer> early_;
};

class DtlsAssociation {
 public:
  enum class State : std::uint8_t { open, ended };

  // The maximum size of plain text in one record (RFC 6347 §4.1).
  static constexpr std::size_t kMaxMessage = TlsEndpoint::kMaxPlaintext;
  static constexpr long kHandshakeMtu = TlsEndpoint::kHandshakeMtu;
  // Some records may arrive before the keys that open them, when the network changes the order. This many of
  // them are kept, with this many octets in all.
  static constexpr std::size_t kMaxEarly = 8;
  static constexpr std::size_t kMaxEarlyOctets = 8 << 10;

  // For a client whose hello had a valid cookie. Throws std::bad_alloc.
  DtlsAssociation(const TlsContext& dtls, const DtlsHello& hello, DtlsBuffers& buffers);

  // Processes the datagram with that hello. Call it first, and once.
  [[nodiscard]] State start(Bytes datagram);

  // Appends the messages in a datagram to `messages`. They overwrite the datagram, or are in the buffers
  // until DtlsBuffers::release_received(). Data that is not a record of this association has no effect.
  // Returns `ended` when the client has closed the association or its handshake has failed.
  [[nodiscard]] State receive(MutableBytes datagram, std::vector<Bytes>& messages);

  // Sends one message in one record. A message that is too long is dropped.
  void send(Bytes head, Bytes payload, std::size_t padding);

  // Sends a close_notify alert.
  void send_close_notify() { endpoint_.send_close_notify(buffers_.out_); }

  bool is_established() const { return endpoint_.was_established(); }
  // Frees the memory that is not needed while the client is idle. It is allocated again at the next record.
  void free_buffers() { endpoint_.free_buffers(); }
  bool is_resting() const { return endpoint_.state() == TlsEndpoint::State::resting; }
  // Whether this handshake began with `hello`. If so, `hello` is a retransmission.
  bool began_with(const DtlsHello& hello) const;

  // During the handshake: the time until on_timeout() has to send a flight again, by OpenSSL's clock.
  std::optional<Duration> retransmits_in() const { return endpoint_.retransmits_in(); }
  [[nodiscard]] State on_timeout();

 private:
  struct Record;

  bool is_well_formed(const Record& record) const;
  bool is_too_short(const Record& record) const;
  void do_handshake(const Record& record);
  void keep_early(const Record& record);
  bool is_plausible(const Record& record) const;
  void feed(const Record& record);
  void read(const Record& record, std::vector<Bytes>& messages);
  void read_early(std::vector<Bytes>& messages);
  State update_state();

  TlsEndpoint endpoint_;
  DtlsBuffers& buffers_;
  std::array<std::uint8_t, 32> random_;
  std::uint16_t hello_number_;       // number of the hello among the handshake messages
  std::uint8_t overhead_ = 0;        // size added to the text of a record, after the handshake
  std::uint8_t early_count_ = 0;     // records in `early_`
  std::uint8_t finished_count_ = 0;  // records that may have been the client's Finished
  BoundedBuffer early_{kMaxEarlyOctets};
};

}  // namespace turnpike::net
