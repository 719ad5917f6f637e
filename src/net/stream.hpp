// One client's connection, TCP or TLS: takes whole messages out of what arrives and queues what the client is
// too slow for. Between two passes a connection keeps no more than an incomplete message and what waits to go
// out; all other memory is the thread's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/bounded_buffer.hpp"
#include "net/counters.hpp"
#include "net/fd.hpp"
#include "net/tls_context.hpp"
#include "net/tls_endpoint.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/stun/stream_framer.hpp"

namespace turnpike::net {

// A message to a client, in parts that follow one another.
struct StreamMessage {
  Bytes head;
  Bytes payload;
  std::size_t padding = 0;  // zero bytes, up to 3
  bool is_media = false;    // may be dropped

  std::size_t size() const { return head.size() + payload.size() + padding; }
};

// What the streams of one thread share. Messages received stay until reset().
class StreamBuffers {
 public:
  StreamBuffers();

  // When there is no free slot, nothing can be received.
  bool has_free_slot() const { return used_ < kSlots; }
  void reset() { used_ = 0; }

  static constexpr std::size_t kReceiveSize = 64 << 10;  // octets that one receive takes at most
  StreamCounters counters;

 private:
  friend class Stream;

  static constexpr std::size_t kSlots = 16;
  // In front of what is received there is room for the incomplete message before it; behind it, for a record
  // of which the greater part was there before.
  static constexpr std::size_t kSlotSize = stun::kMaxFrameSize + kReceiveSize + TlsEndpoint::kLongestRecord;
  // To send. More than kWorthSending never waits there; then a message or what OpenSSL answers follows.
  static constexpr std::size_t kWorthSending = 64 << 10;
  static constexpr std::size_t kSendSize = 4 * kWorthSending;

  MutableBytes take_slot();

  std::unique_ptr<std::uint8_t[]> slots_;
  std::unique_ptr<std::uint8_t[]> wire_in_;                   // cipher text as received
  WireBuffer wire_out_{WireBuffer::Kind::stream, kSendSize};  // as it goes over the wire
  BoundedBuffer plain_{stun::kMaxFrameSize};                  // a message in one piece
  std::size_t used_ = 0;
};

class Stream {
 public:
  // What may wait: beyond the first, media is dropped; beyond the second, the connection is given up. For a
  // client without an allocation, who is anybody, it is the third.
  static constexpr std::size_t kMediaLimit = 256 << 10;
  static constexpr std::size_t kControlLimit = 512 << 10;
  static constexpr std::size_t kStrangerLimit = 32 << 10;

  enum class State : std::uint8_t {
    open,
    ended,
    http,  // a TLS client that speaks HTTP: release() gives it to whoever serves that
  };

  // TLS with `tls`, else plain TCP. `fd` is connected and does not block.
  Stream(Fd fd, const TlsContext* tls);
  // Of a plain one that nothing has been received from or sent to. With TlsUse::any_of_them it is told apart
  // once it is encrypted.
  void start_tls(const TlsContext& tls, TlsUse use);
  // Leaves at once; TLS says goodbye where nothing waits.
  ~Stream();
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) = delete;

  int fd() const { return fd_.get(); }
  // True for TCP from the start, for TLS once its handshake is done.
  bool is_established() const { return !tls_ || tls_->was_established(); }
  bool has_waiting() const { return !waiting_.empty(); }
  // How much may wait: kStrangerLimit until this is called. Less than before holds from when nothing waits.
  void allow_waiting(std::size_t most);

  // Receives once and adds each message that is whole now to `messages`; they view the buffers. Ended: by the
  // client, by an error, or by bytes that are no message. The messages before that count all the same.
  // `buffers` has a free slot.
  [[nodiscard]] State receive(StreamBuffers& buffers, std::vector<Bytes>& messages);

  // Sends the messages together, as far as the connection takes them; the rest waits.
  [[nodiscard]] State send(std::span<const StreamMessage> messages, StreamBuffers& buffers);
  // Sends what waits, as far as the connection takes it.
  [[nodiscard]] State send_waiting();

  // The connection, for somebody else to go on with; this is of no more use then.
  struct Released {
    Fd fd;
    TlsSession tls;                      // null for TCP
    std::vector<std::uint8_t> received;  // in plain text, and taken by nobody yet
  };
  // Where nothing waits.
  Released release();
  // Says something to a client that cannot be served and will be left: what it has said is read and
  // forgotten, since what is left unread would have the kernel take back our answer.
  void turn_away(Bytes answer, StreamBuffers& buffers);

  // --- Bytes instead of messages: what a connection carries that was joined with a peer's (RFC 6062)
  // Receives once; `bytes` view the buffers, and begin with what no message had been made of before.
  // `buffers` has a free slot.
  // No more than `most` octets come off the socket, which is at most kReceiveSize.
  [[nodiscard]] State receive_bytes(StreamBuffers& buffers, Bytes& bytes,
                                    std::size_t most = StreamBuffers::kReceiveSize);
  // Sends as far as the connection takes it; the rest waits. Where anything waits already, nobody should
  // receive more for it.
  [[nodiscard]] State send_bytes(Bytes bytes, StreamBuffers& buffers);
  // What may wait then: all that one receive_bytes() can bring, and what TLS adds to it.
  static constexpr std::size_t kJoinedLimit = 512 << 10;

 private:
  State receive_some(MutableBytes room, std::size_t& received, StreamBuffers& buffers, std::size_t most);
  State receive_tls(Bytes cipher_text, MutableBytes room, std::size_t& received, StreamBuffers& buffers);
  bool speaks_http(Bytes received);
  State take_messages(MutableBytes slot, std::size_t received, std::vector<Bytes>& messages);
  void keep(Bytes tail, std::size_t needed);

  bool write(const StreamMessage& message, StreamBuffers& buffers);
  State transmit(StreamBuffers& buffers);  // what OpenSSL or we have written
  State transmit(Bytes wire, StreamCounters& counters);
  bool is_dropped(const StreamMessage& message, StreamBuffers& buffers) const;

  Fd fd_;
  std::unique_ptr<TlsEndpoint> tls_;  // null for TCP
  bool is_undecided_ = false;         // it is TLS, and may turn out to speak HTTP
  std::uint32_t needed_ = 0;          // how long `tail_` has to be before it can be a message
  std::uint32_t shaken_ = 0;          // octets that a client has needed for its handshake
  std::vector<std::uint8_t> tail_;    // the beginning of a message
  std::size_t may_wait_ = kStrangerLimit;
  BoundedBuffer waiting_{kStrangerLimit};  // to go out, as it goes over the wire
};

}  // namespace turnpike::net
