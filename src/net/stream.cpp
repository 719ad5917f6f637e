#include "net/stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "net/custom_bio.hpp"

namespace turnpike::net {
namespace {

constexpr std::size_t kMaxParts = 1024;          // UIO_MAXIOV
constexpr std::size_t kWorthSending = 64 << 10;  // of cipher text
constexpr std::size_t kCookieEnd = 8;            // where a STUN message has shown its magic cookie
constexpr std::array<std::uint8_t, 4> kZeros{};

bool is_passing(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

// How many bytes went out, or nothing when the connection is broken.
std::optional<std::size_t> send_some(int fd, const msghdr& message) {
  const ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (is_passing(errno)) return 0;
  return std::nullopt;
}

std::optional<std::size_t> send_some(int fd, Bytes bytes) {
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  return send_some(fd, msghdr{nullptr, 0, &part, 1, nullptr, 0, 0});
}

// Calls visit(part) for each part that is not empty.
template <class Visitor>
void for_each_part(const StreamMessage& message, Visitor&& visit) {
  if (!message.head.empty()) visit(message.head);
  if (!message.payload.empty()) visit(message.payload);
  if (message.padding != 0) visit(Bytes(kZeros).first(message.padding));
}

void append(std::vector<std::uint8_t>& to, const StreamMessage& message, std::size_t from = 0) {
  for_each_part(message, [&](Bytes part) {
    const std::size_t skipped = std::min(from, part.size());
    from -= skipped;
    to.insert(to.end(), part.begin() + static_cast<std::ptrdiff_t>(skipped), part.end());
  });
}

}  // namespace

// --- What TLS reads and writes

// TLS never touches the socket: it takes cipher text from what was received, and adds to what is to be sent.
// So it waits for input alone, and what it has written is sent, or queued, as plain TCP is.
struct Stream::Wire {
  Bytes in;
  std::vector<std::uint8_t>* out = nullptr;

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
    std::vector<std::uint8_t>& out = *of(bio).out;
    out.insert(out.end(), from, from + size);
    return size;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
};

// --- Buffers

StreamBuffers::StreamBuffers()
    : slots_(std::make_unique_for_overwrite<std::uint8_t[]>(kSlots * kSlotSize)),
      wire_in_(std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveSize)) {}

MutableBytes StreamBuffers::take_slot() { return {slots_.get() + kSlotSize * used_++, kSlotSize}; }

// --- Stream

Stream::Stream(Fd fd, const TlsContext* tls) : fd_(std::move(fd)), established_(true) {
  if (tls) start_tls(*tls, TlsUse::turn);
}

void Stream::start_tls(const TlsContext& tls, TlsUse use) {
  tls_ = tls.new_session(use);
  established_ = false;
  is_undecided_ = use == TlsUse::any_of_them;
  BIO* bio = make_custom_bio<Wire>();
  SSL_set_bio(tls_.get(), bio, bio);
}

Stream::~Stream() {
  if (!tls_ || !established_ || has_waiting()) return;
  std::vector<std::uint8_t> goodbye;
  Wire wire{{}, &goodbye};
  BIO_set_data(SSL_get_rbio(tls_.get()), &wire);
  SSL_shutdown(tls_.get());
  ERR_clear_error();
  if (!goodbye.empty()) send_some(fd(), goodbye);
}

Stream::State Stream::receive(StreamBuffers& buffers, std::vector<Bytes>& messages) {
  const MutableBytes slot = buffers.take_slot();
  const MutableBytes room = slot.subspan(stun::kMaxFrameSize);
  std::size_t received = 0;
  const State after_receive = receive_some(room, received, buffers);
  if (is_undecided_ && established_ && after_receive == State::open &&
      tell_apart(room.first(received)) == State::http) {
    return State::http;
  }
  if (received == 0) return after_receive;
  const State after_messages = take_messages(slot, received, messages);
  return after_receive == State::ended ? after_receive : after_messages;
}

// Into `room`, as plain text.
Stream::State Stream::receive_some(MutableBytes room, std::size_t& received, StreamBuffers& buffers) {
  std::uint8_t* to = tls_ ? buffers.wire_in_.get() : room.data();
  const ssize_t got = recv(fd(), to, StreamBuffers::kReceiveSize, MSG_DONTWAIT);
  if (got < 0 && is_passing(errno)) return State::open;
  if (got <= 0) return State::ended;
  if (tls_) return receive_tls({to, static_cast<std::size_t>(got)}, room, received, buffers);
  received = static_cast<std::size_t>(got);
  return State::open;
}

Stream::State Stream::receive_bytes(StreamBuffers& buffers, Bytes& bytes) {
  const MutableBytes slot = buffers.take_slot();
  std::size_t received = 0;
  const State state = receive_some(slot.subspan(stun::kMaxFrameSize), received, buffers);
  const std::vector<std::uint8_t> before = std::exchange(tail_, {});
  const MutableBytes all = slot.subspan(stun::kMaxFrameSize - before.size(), before.size() + received);
  std::ranges::copy(before, all.begin());
  bytes = all;
  return state;
}

Stream::State Stream::send_bytes(Bytes bytes, StreamBuffers& buffers) {
  if (tls_) {
    Wire wire{{}, &buffers.wire_out_};
    BIO_set_data(SSL_get_rbio(tls_.get()), &wire);
    return encrypt({bytes, {}}, buffers) == State::ended ? State::ended : transmit(buffers.wire_out_);
  }
  if (!has_waiting()) {
    const std::optional<std::size_t> sent = send_some(fd(), bytes);
    if (!sent) return State::ended;
    bytes = bytes.subspan(*sent);
  }
  wait(bytes);
  return State::open;
}

// An incomplete message is put in front of what continues it only when that can make it whole: the sender of
// single bytes does not make us copy all that came before, each time.
Stream::State Stream::take_messages(MutableBytes slot, std::size_t received, std::vector<Bytes>& messages) {
  const std::size_t before = tail_.size();
  Bytes rest = slot.subspan(stun::kMaxFrameSize - before, before + received);
  if (before != 0 && rest.size() < needed_) {
    const Bytes more = rest.last(received);
    tail_.insert(tail_.end(), more.begin(), more.end());
    return State::open;
  }
  std::ranges::copy(tail_, slot.subspan(stun::kMaxFrameSize - before).begin());
  while (!rest.empty()) {
    const stun::Frame frame = stun::next_frame(rest);
    if (frame.kind == stun::Frame::Kind::invalid) return State::ended;
    if (frame.kind == stun::Frame::Kind::incomplete) {
      keep(rest, frame.consumed);
      return State::open;
    }
    messages.push_back(frame.message);
    rest = rest.subspan(frame.consumed);
  }
  tail_ = {};
  return State::open;
}

void Stream::keep(Bytes tail, std::size_t needed) {
  tail_ = std::vector<std::uint8_t>(tail.begin(), tail.end());
  needed_ = static_cast<std::uint32_t>(tail.size() < kCookieEnd ? std::min(needed, kCookieEnd) : needed);
}

Stream::State Stream::receive_tls(Bytes cipher_text, MutableBytes room, std::size_t& received,
                                  StreamBuffers& buffers) {
  Wire wire{cipher_text, &buffers.wire_out_};
  BIO_set_data(SSL_get_rbio(tls_.get()), &wire);
  ERR_clear_error();
  State state = established_ ? State::open : shake_hands(buffers);
  while (established_ && state == State::open) {
    std::size_t size = 0;
    const int result = SSL_read_ex(tls_.get(), room.data() + received, room.size() - received, &size);
    received += size;
    if (result == 1) continue;
    if (SSL_get_error(tls_.get(), result) != SSL_ERROR_WANT_READ) state = State::ended;
    break;
  }
  // Alerts as well, and what TLS answers without our doing, such as a request for new keys.
  if (transmit(buffers.wire_out_) == State::ended) state = State::ended;
  return state == State::ended ? state : check_limit(buffers);
}

Stream::State Stream::shake_hands(StreamBuffers& buffers) {
  const int result = SSL_do_handshake(tls_.get());
  if (result == 1) {
    established_ = true;
  } else if (SSL_get_error(tls_.get(), result) != SSL_ERROR_WANT_READ) {
    ++buffers.counters.handshakes_failed;
    return State::ended;
  }
  return State::open;
}

// By what ALPN agreed on, else by the first octet, which is a letter of a method.
Stream::State Stream::tell_apart(Bytes received) {
  constexpr std::string_view kHttp = "http/1.1";
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_.get(), &protocol, &size);
  const std::string_view agreed(reinterpret_cast<const char*>(protocol), size);
  if (agreed.empty() && received.empty()) return State::open;
  is_undecided_ = false;
  const bool is_http = agreed.empty() ? received[0] >= 'A' && received[0] <= 'Z' : agreed == kHttp;
  if (!is_http) return State::open;
  tail_.assign(received.begin(), received.end());
  return State::http;
}

Stream::Released Stream::release() {
  return {std::exchange(fd_, Fd()), std::exchange(tls_, nullptr), std::exchange(tail_, {})};
}

void Stream::turn_away(Bytes answer, StreamBuffers& buffers) {
  recv(fd(), buffers.wire_in_.get(), StreamBuffers::kReceiveSize, MSG_DONTWAIT);
  const StreamMessage message{answer, {}, 0, false};
  (void)send({&message, 1}, buffers);
}

Stream::State Stream::send(std::span<const StreamMessage> messages, StreamBuffers& buffers) {
  if (!established_) return State::open;
  const State state = tls_ ? send_tls(messages, buffers) : send_plain(messages, buffers);
  return state == State::ended ? state : check_limit(buffers);
}

Stream::State Stream::send_plain(std::span<const StreamMessage> messages, StreamBuffers& buffers) {
  std::vector<iovec>& parts = buffers.parts_;
  while (!messages.empty() && !has_waiting()) {
    parts.clear();
    std::size_t count = 0;
    std::size_t size = 0;
    for (; count < messages.size() && parts.size() + 3 <= kMaxParts; ++count) {
      size += messages[count].size();
      for_each_part(messages[count], [&](Bytes part) {
        parts.push_back({const_cast<std::uint8_t*>(part.data()), part.size()});
      });
    }
    std::optional<std::size_t> sent =
        send_some(fd(), msghdr{nullptr, 0, parts.data(), parts.size(), nullptr, 0, 0});
    if (!sent) return State::ended;
    if (*sent == size) {
      messages = messages.subspan(count);
      continue;
    }
    while (*sent >= messages.front().size()) {
      *sent -= messages.front().size();
      messages = messages.subspan(1);
    }
    // Of a message that has begun to go out, the rest has to follow.
    if (*sent == 0) break;
    append(waiting_, messages.front(), *sent);
    messages = messages.subspan(1);
  }
  for (const StreamMessage& message : messages) {
    if (!is_dropped(message, waiting_size(), buffers)) append(waiting_, message);
  }
  return State::open;
}

// One record for each message: coturn's clients, among others, take what one record brought for one message.
// The records still go out together.
Stream::State Stream::send_tls(std::span<const StreamMessage> messages, StreamBuffers& buffers) {
  Wire wire{{}, &buffers.wire_out_};
  BIO_set_data(SSL_get_rbio(tls_.get()), &wire);
  for (const StreamMessage& message : messages) {
    if (is_dropped(message, waiting_size() + buffers.wire_out_.size(), buffers)) continue;
    if (encrypt(message, buffers) == State::ended) return State::ended;
  }
  return transmit(buffers.wire_out_);
}

Stream::State Stream::encrypt(const StreamMessage& message, StreamBuffers& buffers) {
  std::vector<std::uint8_t>& plain = buffers.plain_;
  plain.clear();
  append(plain, message);
  ERR_clear_error();
  std::size_t written = 0;
  if (SSL_write_ex(tls_.get(), plain.data(), plain.size(), &written) != 1) {
    buffers.wire_out_.clear();
    return State::ended;
  }
  return buffers.wire_out_.size() < kWorthSending ? State::open : transmit(buffers.wire_out_);
}

// Sends cipher text, or has it wait, and makes the buffer empty.
Stream::State Stream::transmit(std::vector<std::uint8_t>& wire) {
  Bytes rest(wire);
  if (!rest.empty() && !has_waiting()) {
    const std::optional<std::size_t> sent = send_some(fd(), rest);
    if (!sent) {
      wire.clear();
      return State::ended;
    }
    rest = rest.subspan(*sent);
  }
  wait(rest);
  wire.clear();
  return State::open;
}

Stream::State Stream::send_waiting() {
  if (!has_waiting()) return State::open;
  const std::optional<std::size_t> sent = send_some(fd(), Bytes(waiting_).subspan(waiting_from_));
  if (!sent) return State::ended;
  waiting_from_ += *sent;
  if (waiting_from_ == waiting_.size()) {
    waiting_ = {};
    waiting_from_ = 0;
  } else if (waiting_from_ >= waiting_.size() / 2) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_from_));
    waiting_from_ = 0;
  }
  return State::open;
}

bool Stream::is_dropped(const StreamMessage& message, std::size_t waiting, StreamBuffers& buffers) const {
  if (!message.is_media || waiting + message.size() <= kMediaLimit) return false;
  ++buffers.counters.media_dropped;
  return true;
}

Stream::State Stream::check_limit(StreamBuffers& buffers) const {
  if (waiting_size() <= kControlLimit) return State::open;
  ++buffers.counters.too_slow;
  return State::ended;
}

}  // namespace turnpike::net
