// One client's DTLS association (RFC 6347, RFC 7350), the server's side: records in, messages out, and the
// other way round. It knows no socket: what it wants sent is left in the thread's buffers, a datagram each.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "net/dtls_hello.hpp"
#include "net/dtls_records.hpp"
#include "net/tls_context.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::net {

struct DtlsCounters {
  std::uint64_t handshakes_failed = 0;
  std::uint64_t too_long = 0;      // messages that no record can hold
  std::uint64_t out_of_space = 0;  // datagrams of a handshake that had no room; they are sent again
};

// What the associations of one thread share; outlives them.
class DtlsBuffers {
 public:
  DtlsBuffers();

  // To be asked before each call of an association. Without room: send everything, and reset().
  bool has_room() const { return kSize - used_ >= kMostAtOnce; }
  // What waits to be sent since the last forget(). It stays where it is until reset().
  std::span<const Bytes> datagrams() const { return datagrams_; }
  void forget() { datagrams_.clear(); }
  void reset() { used_ = 0; }

  // For datagrams that are no association's; there is room.
  void add(Bytes datagram);

  DtlsCounters counters;

 private:
  friend class DtlsAssociation;

  // Where the next datagram is written; it counts once it is added.
  std::uint8_t* next() { return memory_.get() + used_; }
  void add_next(std::size_t size);

  static constexpr std::size_t kSize = 256 << 10;
  static constexpr std::size_t kMostAtOnce = 64 << 10;  // a flight with a long chain of certificates

  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t used_ = 0;
  std::vector<Bytes> datagrams_;
  std::unique_ptr<std::uint8_t[]> plain_;  // a message in one piece
  std::optional<Bytes> in_;                // the datagram that DTLS has yet to read
};

class DtlsAssociation {
 public:
  enum class State : std::uint8_t { open, ended };

  // Of plain text in one record (RFC 6347 §4.1).
  static constexpr std::size_t kMaxMessage = kLongestText;
  // What a datagram of the handshake has at most: it passes every path that carries IPv6.
  static constexpr long kHandshakeMtu = 1200;

  // For a client whose hello brought a cookie that is right.
  DtlsAssociation(const TlsContext& dtls, const DtlsHello& hello, DtlsBuffers& buffers);

  // The datagram with that hello, first and once.
  [[nodiscard]] State start(Bytes datagram);

  // Takes the datagram in the first `size` bytes of `slot` and adds the messages that it brings to
  // `messages`; they are written over it, and the slot has room for kMaxMessage bytes at least. What is no
  // record of this association changes nothing. Ended: by the client, or because no handshake comes of it.
  [[nodiscard]] State receive(MutableBytes slot, std::size_t size, std::vector<Bytes>& messages);

  // One message in one record. One that is too long is dropped.
  void send(Bytes head, Bytes payload, std::size_t padding);

  // Tells the client that this is the end.
  void say_goodbye();

  bool is_established() const { return established_; }
  // Whether this handshake began with `hello`, which is then a copy.
  bool began_with(const DtlsHello& hello) const;

  // While it shakes hands: when on_timeout() has something to send again, by OpenSSL's clock.
  std::optional<Duration> retransmits_in() const;
  [[nodiscard]] State on_timeout();

 private:
  struct Wire;

  State read(Bytes datagram, MutableBytes room, std::vector<Bytes>& messages);
  State read_records(MutableBytes datagram, std::vector<Bytes>& messages);
  State read_control(Bytes record);
  State read_own_control(const DtlsRecord& record);
  void take_over_records(std::uint64_t seen);
  void seal(RecordContent type, std::size_t size);
  void seal_alert(Bytes alert);
  State fail();
  State after(int result);

  TlsSession
      dtls_;  // with records of our own only until the client has shown that it has all of the handshake
  DtlsBuffers& buffers_;
  std::array<std::uint8_t, 32> random_;
  bool established_ = false;
  std::size_t max_message_ = kMaxMessage;
  std::uint32_t early_ = 0;             // records that OpenSSL keeps until the handshake is done
  std::uint64_t highest_early_ = 0;     // record of data that came before the handshake was done
  std::optional<DtlsRecords> records_;  // once established; absent with other ciphers than AES-GCM
};

}  // namespace turnpike::net
