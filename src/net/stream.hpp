// The connection of one client, by TCP or TLS. It splits the received octets into messages, and queues what
// the client is too slow to receive. Between two calls a connection keeps only an incomplete message and the
// queue; all other memory belongs to the thread.
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

// A message to a client, in three consecutive parts.
struct StreamMessage {
  Bytes head;
  Bytes payload;
  std::size_t padding = 0;  // zero bytes, up to 3
  bool is_media = false;    // may be dropped when the client is too slow

  std::size_t size() const { return head.size() + payload.size() + padding; }
};

// Buffers that all streams of one thread share. Received messages stay valid until reset().
class StreamBuffers {
 public:
  StreamBuffers();

  // Nothing can be received without a free slot.
  bool has_free_slot() const { return used_ < kSlots; }
  void reset() { used_ = 0; }
  // The octets that the last receive took from the socket. With TLS these are octets of records.
  std::size_t taken() const { return taken_; }

  static constexpr std::size_t kReceiveSize = 64 << 10;  // maximum octets of one receive
  StreamCounters counters;

 private:
  friend class Stream;

  static constexpr std::size_t kSlots = 16;
  // A slot has room for an incomplete message in front of the received octets. Behind them it has room for
  // the rest of a TLS record, most of which was received before.
  static constexpr std::size_t kSlotSize = stun::kMaxFrameSize + kReceiveSize + TlsEndpoint::kMaxRecord;
  // The buffer for output. It is sent when it has more than kWorthSending; the rest of its size is for one
  // more message or for OpenSSL's answers.
  static constexpr std::size_t kWorthSending = 64 << 10;
  static constexpr std::size_t kSendSize = 4 * kWorthSending;

  MutableBytes take_slot();

  std::unique_ptr<std::uint8_t[]> slots_;
  std::unique_ptr<std::uint8_t[]> wire_in_;                   // received cipher text
  WireBuffer wire_out_{WireBuffer::Kind::stream, kSendSize};  // output, as it is sent
  BoundedBuffer plain_{stun::kMaxFrameSize};                  // one whole message
  std::size_t used_ = 0;
  std::size_t taken_ = 0;
};

class Stream {
 public:
  // Limits for the octets that wait to be sent. Beyond the first, media is dropped; beyond the second, the
  // connection is closed. The third takes the place of the second for a client without an allocation, who may
  // be anybody.
  static constexpr std::size_t kMediaLimit = 256 << 10;
  static constexpr std::size_t kControlLimit = 512 << 10;
  static constexpr std::size_t kStrangerLimit = 32 << 10;
  // The longest message that is put together for such a client. Their requests have a few hundred octets, and
  // a few thousand with an access token.
  static constexpr std::size_t kStrangerMessage = 8 << 10;

  enum class State : std::uint8_t {
    open,
    ended,
    http,  // a TLS client that speaks HTTP; give it to the HTTP server with release()
  };

  // Uses TLS with `tls`, or plain TCP when `tls` is null. `fd` is connected and non-blocking.
  Stream(Fd fd, const TlsContext* tls);
  // Changes a plain connection, which has not sent or received anything, to TLS. With TlsUse::any_of_them,
  // the stream finds out after the handshake whether the client speaks STUN or HTTP.
  void start_tls(const TlsContext& tls, TlsUse use);
  // Closes the connection at once. TLS sends a close_notify alert when nothing waits to be sent.
  ~Stream();
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) = delete;

  int fd() const { return fd_.get(); }
  // TCP: always true. TLS: true after the handshake.
  bool is_established() const { return !tls_ || tls_->was_established(); }
  bool has_waiting() const { return !waiting_.empty(); }
  // Sets how many octets may wait. It is kStrangerLimit before the first call. A smaller limit takes effect
  // when nothing waits.
  void allow_waiting(std::size_t most);

  // Sets how long a message may be that comes in pieces. It is kStrangerMessage before the first call. A
  // smaller limit takes effect with the next message.
  void allow_messages(std::size_t longest) { longest_ = static_cast<std::uint32_t>(longest); }

  // Receives once and appends each complete message to `messages`; these view the buffers. Returns `ended`
  // when the client has closed, after an error, or when the octets are not a message or too long a one.
  // Messages before that are valid. `buffers` must have a free slot. Takes `most` octets at most from the
  // socket. `most` must not be greater than kReceiveSize.
  [[nodiscard]] State receive(StreamBuffers& buffers, std::vector<Bytes>& messages,
                              std::size_t most = StreamBuffers::kReceiveSize);

  // The octets behind a ConnectionBind request are not split into messages before the answer, since they are
  // data for the peer when the request succeeds (RFC 6062 §5.4). When the request fails and this connection
  // continues, take_held() appends the messages in these octets, as receive() does.
  bool holds_octets() const { return is_held_; }
  [[nodiscard]] State take_held(StreamBuffers& buffers, std::vector<Bytes>& messages);

  // Sends the messages together. The octets that the connection does not accept wait.
  [[nodiscard]] State send(std::span<const StreamMessage> messages, StreamBuffers& buffers);
  // Sends waiting octets, as many as the connection accepts.
  [[nodiscard]] State send_waiting();

  // The parts of a connection that another owner continues with. The Stream cannot be used afterwards.
  struct Released {
    Fd fd;
    TlsSession tls;                      // null for TCP
    std::vector<std::uint8_t> received;  // plain text that no message was made of
  };
  // Call it only when nothing waits to be sent.
  Released release();
  // Sends a last answer to a client that is not served. The client's octets are read and dropped first,
  // because the kernel would otherwise reset the connection and discard our answer.
  void answer_and_close(Bytes answer, StreamBuffers& buffers);

  // --- Octets instead of messages: for a connection that is joined with a peer's (RFC 6062)
  // Whether there are octets that no message was made of, which receive_bytes() returns without waiting.
  bool has_unread() const { return !tail_.empty(); }
  // Receives once, at most `most` octets from the socket (up to kReceiveSize). `bytes` view the buffers, and
  // begin with the octets that no message was made of before. `buffers` must have a free slot.
  [[nodiscard]] State receive_bytes(StreamBuffers& buffers, Bytes& bytes,
                                    std::size_t most = StreamBuffers::kReceiveSize);
  // Sends octets; those that the connection does not accept wait. While anything waits, do not receive more
  // for this connection.
  [[nodiscard]] State send_bytes(Bytes bytes, StreamBuffers& buffers);
  // Ends our direction, when nothing waits to be sent: TLS sends its close_notify, and the connection is
  // half-closed after everything was sent. After this call, receive_bytes() returns TLS records undecrypted.
  [[nodiscard]] State close_cleanly(StreamBuffers& buffers);
  // Half-closes the connection when nothing waits any more. Call it after octets that close_cleanly() left
  // waiting were sent.
  [[nodiscard]] State end_output();
  // Makes the close a reset. The client then learns that what it has received is not all.
  void reset_on_close();
  // The limit for waiting octets then: the result of one receive_bytes(), and what TLS adds to it.
  static constexpr std::size_t kJoinedLimit = 512 << 10;

 private:
  State receive_some(MutableBytes room, std::size_t& received, StreamBuffers& buffers, std::size_t most);
  State receive_tls(Bytes cipher_text, MutableBytes room, std::size_t& received, StreamBuffers& buffers);
  // Decides by ALPN, or else by the first octet, whether this connection carries HTTP or messages, when one
  // of them is known. Returns true for HTTP. The octets are then kept for the owner that release() hands the
  // connection to.
  bool decide_protocol(Bytes received);
  State take_messages(MutableBytes slot, std::size_t received, std::vector<Bytes>& messages);
  void keep(Bytes tail, std::size_t needed);

  bool write(const StreamMessage& message, StreamBuffers& buffers);
  State transmit(StreamBuffers& buffers);  // the output of OpenSSL or of ourselves
  State transmit(Bytes wire, StreamCounters& counters);
  bool is_dropped(const StreamMessage& message, StreamBuffers& buffers) const;

  Fd fd_;
  std::unique_ptr<TlsEndpoint> tls_;  // null for TCP
  bool is_undecided_ = false;         // a TLS connection that may turn out to speak HTTP
  std::uint32_t needed_ = 0;          // the size that `tail_` needs before it can be a message
  std::uint32_t longest_ = kStrangerMessage;
  std::uint32_t shaken_ = 0;        // octets that the client has sent during its handshake
  std::vector<std::uint8_t> tail_;  // the beginning of an incomplete message, or what is held
  bool is_held_ = false;
  std::size_t may_wait_ = kStrangerLimit;
  BoundedBuffer waiting_{kStrangerLimit};  // octets to be sent, as they go over the wire
};

}  // namespace turnpike::net
