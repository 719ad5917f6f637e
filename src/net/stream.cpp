#include "net/stream.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "net/system_call.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::net {
namespace {

constexpr std::size_t kCookieEnd = 8;  // the end of the magic cookie in a STUN message

// A client may send at most this many octets in a handshake. A ClientHello with post-quantum keys may have 16
// kB, and the limit is twice that. OpenSSL itself would accept a ClientHello of 131 kB.
constexpr std::uint32_t kMaxHandshake = 32 << 10;
constexpr std::size_t kMaxCloseNotify = 256;

bool is_passing(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

bool is_connection_bind(Bytes message) {
  constexpr stun::MessageType kConnectionBind{stun::Method::connection_bind, stun::Class::request};
  return load_u16(message.data()) == kConnectionBind.to_wire();  // ChannelData has greater numbers there
}

// Returns the number of octets that were sent, or nothing when the connection is broken.
std::optional<std::size_t> send_some(int fd, Bytes bytes) {
  const long sent =
      system_call(SYS_sendto, fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (is_passing(errno)) return 0;
  return std::nullopt;
}

template <class Buffer>
bool append(const StreamMessage& message, Buffer& to) {
  return to.append(message.head) && to.append(message.payload) && to.append_zeros(message.padding);
}

}  // namespace

// --- Buffers

StreamBuffers::StreamBuffers()
    : slots_(std::make_unique_for_overwrite<std::uint8_t[]>(kSlots * kSlotSize)),
      wire_in_(std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveSize)) {
  plain_.reserve();
}

MutableBytes StreamBuffers::take_slot() {
  if (!has_free_slot()) throw std::bad_alloc();
  return {slots_.get() + kSlotSize * used_++, kSlotSize};
}

// --- Stream

Stream::Stream(Fd fd, const TlsContext* tls) : fd_(std::move(fd)) {
  if (tls) start_tls(*tls, TlsUse::turn);
}

void Stream::start_tls(const TlsContext& tls, TlsUse use) {
  tls_ = std::make_unique<TlsEndpoint>(tls.new_session(use));
  is_undecided_ = use == TlsUse::any_of_them;
}

Stream::~Stream() {
  if (!tls_ || has_waiting()) return;
  try {
    WireBuffer close_notify(WireBuffer::Kind::stream, kMaxCloseNotify);
    tls_->send_close_notify(close_notify);
    if (close_notify.size() != 0) send_some(fd(), close_notify.bytes());
  } catch (const std::bad_alloc&) {
    return;  // there is no memory for the close_notify
  }
}

Stream::State Stream::receive(StreamBuffers& buffers, std::vector<Bytes>& messages, std::size_t most) {
  const MutableBytes slot = buffers.take_slot();
  const MutableBytes room = slot.subspan(stun::kMaxFrameSize);
  std::size_t received = 0;
  const State after_receive = receive_some(room, received, buffers, most);
  if (received == 0 && after_receive == State::ended) return State::ended;
  // A client that sends its request and closes its side at once still gets an answer.
  if (is_undecided_ && is_established() && decide_protocol(room.first(received))) return State::http;
  if (received == 0) return after_receive;
  const State after_messages = take_messages(slot, received, messages);
  return after_receive == State::ended ? after_receive : after_messages;
}

Stream::State Stream::take_held(StreamBuffers& buffers, std::vector<Bytes>& messages) {
  return take_messages(buffers.take_slot(), 0, messages);
}

// Receives plain text into `room`.
Stream::State Stream::receive_some(MutableBytes room, std::size_t& received, StreamBuffers& buffers,
                                   std::size_t most) {
  std::uint8_t* to = tls_ ? buffers.wire_in_.get() : room.data();
  const long got = system_call(SYS_recvfrom, fd(), to, most, MSG_DONTWAIT, nullptr, nullptr);
  buffers.taken_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  if (got < 0 && is_passing(errno)) return State::open;
  if (got <= 0) return State::ended;
  if (tls_) return receive_tls({to, static_cast<std::size_t>(got)}, room, received, buffers);
  received = static_cast<std::size_t>(got);
  return State::open;
}

Stream::State Stream::receive_tls(Bytes cipher_text, MutableBytes room, std::size_t& received,
                                  StreamBuffers& buffers) {
  const bool in_handshake = !tls_->was_established();
  if (in_handshake && shaken_ > kMaxHandshake) {
    ++buffers.counters.handshakes_failed;
    return State::ended;
  }
  buffers.wire_out_.clear();
  if (in_handshake) shaken_ += static_cast<std::uint32_t>(cipher_text.size());
  received = tls_->receive(cipher_text, room, buffers.wire_out_);
  if (tls_->state() == TlsEndpoint::State::failed) ++buffers.counters.handshakes_failed;
  // This also sends alerts, and OpenSSL's own answers, for example to a key update.
  const State state = transmit(buffers);
  return tls_->can_receive() ? state : State::ended;
}

// Decides by the protocol that ALPN selected. Without one, it decides by the first octet, which is a letter
// in HTTP.
bool Stream::decide_protocol(Bytes received) {
  constexpr std::string_view kHttp = "http/1.1";
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_->ssl(), &protocol, &size);
  const std::string_view agreed(reinterpret_cast<const char*>(protocol), size);
  if (agreed.empty() && received.empty()) return false;
  is_undecided_ = false;
  const bool is_http = agreed.empty() ? received[0] >= 'A' && received[0] <= 'Z' : agreed == kHttp;
  if (is_http) tail_.assign(received.begin(), received.end());
  return is_http;
}

Stream::State Stream::receive_bytes(StreamBuffers& buffers, Bytes& bytes, std::size_t most) {
  const MutableBytes slot = buffers.take_slot();
  std::size_t received = 0;
  const State state = receive_some(slot.subspan(stun::kMaxFrameSize), received, buffers, most);
  const std::vector<std::uint8_t> before = std::exchange(tail_, {});
  const MutableBytes all = slot.subspan(stun::kMaxFrameSize - before.size(), before.size() + received);
  std::ranges::copy(before, all.begin());
  bytes = all;
  return state;
}

Stream::State Stream::send_bytes(Bytes bytes, StreamBuffers& buffers) {
  if (!tls_) return transmit(bytes, buffers.counters);
  buffers.wire_out_.clear();
  if (!tls_->can_send() || !tls_->send(bytes, buffers.wire_out_)) return State::ended;
  return transmit(buffers);
}

Stream::State Stream::close_cleanly(StreamBuffers& buffers) {
  tail_ = {};
  if (tls_) {
    buffers.wire_out_.clear();
    tls_->send_close_notify(buffers.wire_out_);
    tls_.reset();
    if (transmit(buffers) == State::ended) return State::ended;
  }
  return end_output();
}

Stream::State Stream::end_output() {
  return has_waiting() || shutdown(fd(), SHUT_WR) == 0 ? State::open : State::ended;
}

void Stream::reset_on_close() {
  const linger at_once{1, 0};
  setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// An incomplete message is copied in front of the received octets only when these can complete it. Otherwise
// a client that sends single octets would make us copy the whole message each time.
Stream::State Stream::take_messages(MutableBytes slot, std::size_t received, std::vector<Bytes>& messages) {
  const std::size_t before = tail_.size();
  Bytes rest = slot.subspan(stun::kMaxFrameSize - before, before + received);
  if (before != 0 && rest.size() < needed_) {
    const Bytes more = rest.last(received);
    tail_.insert(tail_.end(), more.begin(), more.end());
    return State::open;
  }
  std::ranges::copy(tail_, slot.subspan(stun::kMaxFrameSize - before).begin());
  is_held_ = false;
  while (!rest.empty()) {
    const stun::Frame frame = stun::next_frame(rest);
    if (frame.kind == stun::Frame::Kind::invalid) return State::ended;
    if (frame.kind == stun::Frame::Kind::incomplete) {
      if (frame.consumed > longest_) return State::ended;
      keep(rest, frame.consumed);
      return State::open;
    }
    messages.push_back(frame.message);
    rest = rest.subspan(frame.consumed);
    if (is_connection_bind(frame.message) && !rest.empty()) {
      if (rest.size() > stun::kMaxFrameSize) return State::ended;
      keep(rest, 0);
      is_held_ = true;
      return State::open;
    }
  }
  tail_ = {};
  return State::open;
}

void Stream::keep(Bytes tail, std::size_t needed) {
  tail_ = std::vector<std::uint8_t>(tail.begin(), tail.end());
  needed_ = static_cast<std::uint32_t>(tail.size() < kCookieEnd ? std::min(needed, kCookieEnd) : needed);
}

Stream::Released Stream::release() {
  return {std::exchange(fd_, Fd()), tls_ ? std::exchange(tls_, nullptr)->release() : nullptr,
          std::exchange(tail_, {})};
}

void Stream::answer_and_close(Bytes answer, StreamBuffers& buffers) {
  recv(fd(), buffers.wire_in_.get(), StreamBuffers::kReceiveSize, MSG_DONTWAIT);
  (void)send_bytes(answer, buffers);
}

// Messages are copied into one buffer, because that costs less than to give the kernel a list of parts.
Stream::State Stream::send(std::span<const StreamMessage> messages, StreamBuffers& buffers) {
  if (tls_ && !tls_->can_send()) return is_established() ? State::ended : State::open;
  buffers.wire_out_
      .clear();  // another client's output may be left here, if there was no memory for its queue
  for (const StreamMessage& message : messages) {
    if (is_dropped(message, buffers)) continue;
    if (!write(message, buffers)) {
      buffers.wire_out_.clear();
      return State::ended;
    }
    if (buffers.wire_out_.size() < StreamBuffers::kWorthSending) continue;
    if (transmit(buffers) == State::ended) return State::ended;
  }
  return transmit(buffers);
}

// Writes each message into one record of its own, because coturn's clients, among others, take one record for
// one message. Returns false when OpenSSL fails.
bool Stream::write(const StreamMessage& message, StreamBuffers& buffers) {
  if (!tls_) return append(message, buffers.wire_out_);
  buffers.plain_.clear();
  return append(message, buffers.plain_) && tls_->send(buffers.plain_.bytes(), buffers.wire_out_);
}

Stream::State Stream::transmit(StreamBuffers& buffers) {
  const State state = transmit(buffers.wire_out_.bytes(), buffers.counters);
  buffers.wire_out_.clear();
  return state;
}

// Sends the output, or queues the part that the connection does not accept.
Stream::State Stream::transmit(Bytes wire, StreamCounters& counters) {
  if (!wire.empty() && !has_waiting()) {
    const std::optional<std::size_t> sent = send_some(fd(), wire);
    if (!sent) return State::ended;
    wire = wire.subspan(*sent);
  }
  if (waiting_.append(wire)) return State::open;
  ++counters.too_slow;
  return State::ended;
}

Stream::State Stream::send_waiting() {
  if (!has_waiting()) return State::open;
  const std::optional<std::size_t> sent = send_some(fd(), waiting_.bytes());
  if (!sent) return State::ended;
  waiting_.remove_front(*sent);
  if (!has_waiting()) waiting_.allow(may_wait_);
  return State::open;
}

void Stream::allow_waiting(std::size_t most) {
  if (most > may_wait_ || !has_waiting()) waiting_.allow(most);
  may_wait_ = most;
}

bool Stream::is_dropped(const StreamMessage& message, StreamBuffers& buffers) const {
  const std::size_t ahead = waiting_.size() + buffers.wire_out_.size();
  if (!message.is_media || ahead + message.size() <= kMediaLimit) return false;
  ++buffers.counters.media_dropped;
  return true;
}

}  // namespace turnpike::net
