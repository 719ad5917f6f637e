// One client's DTLS association (RFC 6347, RFC 7350), the server's side: datagrams in, messages out, and the
// other way round. It knows no socket: what it wants sent is left in the thread's buffers, a datagram each.
// It decides which records OpenSSL gets to see, so that nobody can have OpenSSL keep much.
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

// What the associations of one thread share; outlives them.
class DtlsBuffers {
 public:
  DtlsBuffers() { plain_.reserve(); }

  // To be asked before each call of an association. Without room: send everything, and reset(). Nothing else
  // depends on it: whatever finds no room is dropped.
  bool has_room() const { return out_.room() >= kMostAtOnce; }
  // What waits to be sent since the last forget(). It stays where it is until reset().
  std::span<const Bytes> datagrams() const { return out_.datagrams(); }
  void forget() { out_.forget_datagrams(); }
  void reset() { out_.clear(); }

  // Once nobody looks at the messages any more that associations have received.
  void release_received() { early_.clear(); }

  // For datagrams that are no association's.
  void add(Bytes datagram) { (void)out_.append(datagram); }
  // Datagrams that found no room.
  const Counter& lost() const { return out_.lost(); }

  DtlsCounters counters;

 private:
  friend class DtlsAssociation;

  static constexpr std::size_t kSize = 256 << 10;
  static constexpr std::size_t kMostAtOnce = 64 << 10;  // a flight with a long chain of certificates

  WireBuffer out_{WireBuffer::Kind::datagrams, kSize};
  BoundedBuffer plain_{TlsEndpoint::kLongestText};  // a message in one piece
  // Where the messages lie that associations had received early, until release_received().
  std::vector<BoundedBuffer> early_;
};

class DtlsAssociation {
 public:
  enum class State : std::uint8_t { open, ended };

  // Of plain text in one record (RFC 6347 §4.1).
  static constexpr std::size_t kMaxMessage = TlsEndpoint::kLongestText;
  static constexpr long kHandshakeMtu = TlsEndpoint::kHandshakeMtu;
  // Records that come ahead of the keys to open them, as when the network has changed their order: so many
  // are kept, and so many octets of them.
  static constexpr std::size_t kMostEarly = 8;
  static constexpr std::size_t kMostEarlyOctets = 8 << 10;

  // For a client whose hello brought a cookie that is right. Throws std::bad_alloc.
  DtlsAssociation(const TlsContext& dtls, const DtlsHello& hello, DtlsBuffers& buffers);

  // The datagram with that hello, first and once.
  [[nodiscard]] State start(Bytes datagram);

  // Adds the messages that a datagram brings to `messages`. They are written over the datagram, or lie in the
  // buffers until DtlsBuffers::release_received(). What is no record of this association changes nothing.
  // Ended: by the client, or because no handshake comes of it.
  [[nodiscard]] State receive(MutableBytes datagram, std::vector<Bytes>& messages);

  // One message in one record. One that is too long is dropped.
  void send(Bytes head, Bytes payload, std::size_t padding);

  // Tells the client that this is the end.
  void say_goodbye() { endpoint_.say_goodbye(buffers_.out_); }

  bool is_established() const { return endpoint_.was_established(); }
  // Gives back what memory is not needed while the client is quiet, until it is no longer.
  void rest() { endpoint_.rest(); }
  bool is_resting() const { return endpoint_.state() == TlsEndpoint::State::resting; }
  // Whether this handshake began with `hello`, which is then a copy.
  bool began_with(const DtlsHello& hello) const;

  // While it shakes hands: when on_timeout() has something to send again, by OpenSSL's clock.
  std::optional<Duration> retransmits_in() const { return endpoint_.retransmits_in(); }
  [[nodiscard]] State on_timeout();

 private:
  struct Record;

  bool is_well_formed(const Record& record) const;
  bool is_too_short(const Record& record) const;
  void shake_hands(const Record& record);
  void keep_early(const Record& record);
  bool is_plausible(const Record& record) const;
  void feed(const Record& record);
  void read(const Record& record, std::vector<Bytes>& messages);
  void read_early(std::vector<Bytes>& messages);
  State settle();

  TlsEndpoint endpoint_;
  DtlsBuffers& buffers_;
  std::array<std::uint8_t, 32> random_;
  std::uint16_t hello_number_;       // of the handshake's messages
  std::uint8_t overhead_ = 0;        // of a record, once it has keys
  std::uint8_t early_count_ = 0;     // records that were kept
  std::uint8_t finished_count_ = 0;  // records that may have been the client's Finished
  BoundedBuffer early_{kMostEarlyOctets};
};

}  // namespace turnpike::net
