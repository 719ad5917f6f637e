#include "net/stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "net/custom_bio.hpp"
#include "net/system_call.hpp"

namespace turnpike::net {
namespace {

constexpr std::size_t kWorthSending = 64 << 10;
constexpr std::size_t kCookieEnd = 8;  // where a STUN message has shown its magic cookie

bool is_passing(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

// How many bytes went out, or nothing when the connection is broken.
std::optional<std::size_t> send_some(int fd, Bytes bytes) {
  const long sent =
      system_call(SYS_sendto, fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (is_passing(errno)) return 0;
  return std::nullopt;
}

// Writes the message in one piece and returns where it ends.
std::uint8_t* write(const StreamMessage& message, std::uint8_t* to) {
  to = std::ranges::copy(message.head, to).out;
  to = std::ranges::copy(message.payload, to).out;
  return std::fill_n(to, message.padding, std::uint8_t{0});
}

void append(std::vector<std::uint8_t>& to, const StreamMessage& message) {
  const std::size_t before = to.size();
  to.resize(before + message.size());
  write(message, to.data() + before);
}

}  // namespace

// --- What TLS reads and writes

// OpenSSL never touches the socket: it takes cipher text from what was received, and adds to what is to be
// sent. So it waits for input alone, and what it has written is sent, or queued, as plain TCP is.
struct Stream::Wire {
  Bytes in;
  std::vector<std::uint8_t>* out;

  // For what is done with `tls` while this is there.
  Wire(SSL* tls, Bytes input, std::vector<std::uint8_t>& output) : in(input), out(&output) {
    BIO_set_data(SSL_get_rbio(tls), this);
    ERR_clear_error();
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
    std::vector<std::uint8_t>& out = *of(bio).out;
    out.insert(out.end(), from, from + size);
    return size;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
};

// --- Buffers

StreamBuffers::StreamBuffers()
    : slots_(std::make_unique_for_overwrite<std::uint8_t[]>(kSlots * kSlotSize)),
      wire_in_(std::make_unique_for_overwrite<std::uint8_t[]>(TlsRecords::kMaxRecord + kReceiveSize)) {}

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
  if (has_waiting()) return;
  std::vector<std::uint8_t> goodbye;
  if (records_) {
    records_->close(goodbye);
  } else if (tls_ && established_) {
    const Wire wire(tls_.get(), {}, goodbye);
    SSL_shutdown(tls_.get());
  }
  if (!goodbye.empty()) send_some(fd(), goodbye);
}

Stream::State Stream::receive(StreamBuffers& buffers, std::vector<Bytes>& messages) {
  const MutableBytes slot = buffers.take_slot();
  const MutableBytes room = slot.subspan(stun::kMaxFrameSize);
  std::size_t received = 0;
  const State after_receive = receive_some(room, received, buffers);
  if (received == 0 || after_receive == State::http) return after_receive;
  const State after_messages = take_messages(slot, received, messages);
  return after_receive == State::ended ? after_receive : after_messages;
}

// Into `room`, as plain text.
Stream::State Stream::receive_some(MutableBytes room, std::size_t& received, StreamBuffers& buffers) {
  const bool is_tls = tls_ || records_;
  std::uint8_t* to = is_tls ? buffers.wire_in_.get() + TlsRecords::kMaxRecord : room.data();
  const long got =
      system_call(SYS_recvfrom, fd(), to, StreamBuffers::kReceiveSize, MSG_DONTWAIT, nullptr, nullptr);
  if (got < 0 && is_passing(errno)) return State::open;
  if (got <= 0) return State::ended;
  if (is_tls) return receive_tls(static_cast<std::size_t>(got), room, received, buffers);
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
  if (tls_) return State::ended;  // nothing goes past TLS
  if (!records_) return transmit(bytes);
  return encrypt({bytes, {}}, buffers) ? transmit(buffers.wire_out_) : State::ended;
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

// Cipher text that was received goes through OpenSSL up to the end of the handshake, and where both TURN and
// HTTP may be spoken, up to the first record that tells.
Stream::State Stream::receive_tls(std::size_t got, MutableBytes room, std::size_t& received,
                                  StreamBuffers& buffers) {
  std::uint8_t* from = buffers.wire_in_.get() + TlsRecords::kMaxRecord;
  const std::size_t before = record_tail_.size();
  if (before != 0 && before + got < TlsRecords::size_of(record_tail_).value_or(TlsRecords::kHeaderSize)) {
    record_tail_.insert(record_tail_.end(), from, from + got);
    return State::open;
  }
  MutableBytes wire(from - before, before + got);
  std::ranges::copy(record_tail_, wire.begin());

  State state = State::open;
  if (!established_) state = shake_hands(wire, buffers);
  if (established_ && is_undecided_ && state == State::open)
    state = tell_apart(wire, room, received, buffers);
  if (records_ && state == State::open) state = read_records(wire, room, received, buffers);
  if (state == State::open && TlsRecords::size_of(wire).value_or(0) > TlsRecords::kMaxRecord) {
    if (records_) records_->refuse_long_record(buffers.wire_out_);
    state = State::ended;
  }
  record_tail_ = std::vector<std::uint8_t>(wire.begin(), wire.end());
  // Alerts as well, and new keys.
  if (transmit(buffers.wire_out_) == State::ended) state = State::ended;
  return state == State::open ? check_limit(buffers) : state;
}

// Leaves what comes behind the end of the handshake.
Stream::State Stream::shake_hands(MutableBytes& wire, StreamBuffers& buffers) {
  std::vector<std::uint8_t>& out = buffers.wire_out_;
  const std::size_t out_before = out.size();
  const Wire bio(tls_.get(), wire, out);
  const int result = SSL_do_handshake(tls_.get());
  wire = wire.last(bio.in.size());
  if (result != 1) {
    if (SSL_get_error(tls_.get(), result) == SSL_ERROR_WANT_READ) return State::open;
    ++buffers.counters.handshakes_failed;
    return State::ended;
  }
  established_ = true;
  // With the client's last word TLS 1.3 has its keys for data: what goes out after that is tickets.
  for (Bytes rest = Bytes(out).subspan(out_before); const auto size = TlsRecords::size_of(rest);) {
    rest = rest.subspan(*size);
    ++counts_.written;
  }
  // In TLS 1.2 both sides' last words themselves are the first under the new keys.
  if (SSL_version(tls_.get()) == TLS1_2_VERSION) counts_ = {1, 1};
  return is_undecided_ ? State::open : take_over_records();
}

// By what ALPN agreed on, else by the first octet, which is a letter of a method.
Stream::State Stream::tell_apart(MutableBytes& wire, MutableBytes room, std::size_t& received,
                                 StreamBuffers& buffers) {
  constexpr std::string_view kHttp = "http/1.1";
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_.get(), &protocol, &size);
  const std::string_view agreed(reinterpret_cast<const char*>(protocol), size);
  bool is_http = agreed == kHttp;
  if (agreed.empty()) {
    const auto record_size = TlsRecords::size_of(wire);
    if (!record_size || wire.size() < *record_size) return State::open;
    // One that brings no data may bring other keys, or an answer by OpenSSL: records that nobody has counted.
    if (read_by_openssl(wire.first(*record_size), room, received, buffers) == State::ended || received == 0) {
      return State::ended;
    }
    wire = wire.subspan(*record_size);
    ++counts_.read;
    is_http = room[0] >= 'A' && room[0] <= 'Z';
  }
  is_undecided_ = false;
  if (!is_http) return take_over_records();
  const State state = read_by_openssl(wire, room, received, buffers);
  wire = {};
  tail_.assign(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(received));
  // Who asks and closes its half in one go is answered all the same.
  return received == 0 && state == State::ended ? state : State::http;
}

Stream::State Stream::read_by_openssl(Bytes cipher_text, MutableBytes room, std::size_t& received,
                                      StreamBuffers& buffers) {
  const Wire bio(tls_.get(), cipher_text, buffers.wire_out_);
  for (;;) {
    std::size_t size = 0;
    const int result = SSL_read_ex(tls_.get(), room.data() + received, room.size() - received, &size);
    received += size;
    if (result != 1) {
      return SSL_get_error(tls_.get(), result) == SSL_ERROR_WANT_READ ? State::open : State::ended;
    }
  }
}

Stream::State Stream::take_over_records() {
  std::optional<TlsRecords> records = TlsRecords::of(tls_.get(), counts_);
  if (!records) return State::ended;
  records_ = std::make_unique<TlsRecords>(std::move(*records));
  tls_.reset();
  return State::open;
}

// Leaves an incomplete record.
Stream::State Stream::read_records(MutableBytes& wire, MutableBytes room, std::size_t& received,
                                   StreamBuffers& buffers) {
  for (auto size = TlsRecords::size_of(wire); size && *size <= wire.size();
       size = TlsRecords::size_of(wire)) {
    const TlsRecords::Opened opened = records_->open(wire.first(*size), buffers.wire_out_);
    if (opened.is_end) return State::ended;
    std::ranges::copy(opened.text, room.begin() + static_cast<std::ptrdiff_t>(received));
    received += opened.text.size();
    wire = wire.subspan(*size);
  }
  return State::open;
}

Stream::Released Stream::release() {
  return {std::exchange(fd_, Fd()), std::exchange(tls_, nullptr), std::exchange(tail_, {})};
}

void Stream::turn_away(Bytes answer, StreamBuffers& buffers) {
  recv(fd(), buffers.wire_in_.get(), StreamBuffers::kReceiveSize, MSG_DONTWAIT);
  if (tls_) {
    const Wire wire(tls_.get(), {}, buffers.wire_out_);
    std::size_t written = 0;
    SSL_write_ex(tls_.get(), answer.data(), answer.size(), &written);
    (void)transmit(buffers.wire_out_);
  } else {
    (void)send_bytes(answer, buffers);
  }
}

// Messages go out in one piece: to copy one costs less than to tell the kernel of its parts.
Stream::State Stream::send(std::span<const StreamMessage> messages, StreamBuffers& buffers) {
  if (tls_) return State::open;  // no message has come, so there is no answer
  if (records_ && records_->is_closed()) return State::ended;
  std::vector<std::uint8_t>& out = buffers.wire_out_;
  for (const StreamMessage& message : messages) {
    if (is_dropped(message, waiting_size() + out.size(), buffers)) continue;
    if (records_) {
      if (!encrypt(message, buffers)) return State::ended;
    } else {
      append(out, message);
    }
    if (out.size() >= kWorthSending && transmit(out) == State::ended) return State::ended;
  }
  const State state = transmit(out);
  return state == State::ended ? state : check_limit(buffers);
}

// One record for each message: coturn's clients, among others, take what one record brought for one message.
// False when OpenSSL fails.
bool Stream::encrypt(const StreamMessage& message, StreamBuffers& buffers) {
  std::vector<std::uint8_t>& out = buffers.wire_out_;
  bool done = true;
  if (message.size() <= records_->max_text()) {
    done = records_->seal(message.size(), out, [&](std::uint8_t* to) { write(message, to); });
  } else {
    buffers.plain_.clear();
    append(buffers.plain_, message);
    for (Bytes rest(buffers.plain_); done && !rest.empty();) {
      const Bytes part = rest.first(std::min(rest.size(), records_->max_text()));
      done = records_->seal(part.size(), out, [&](std::uint8_t* to) { std::ranges::copy(part, to); });
      rest = rest.subspan(part.size());
    }
  }
  if (!done) out.clear();
  return done;
}

Stream::State Stream::transmit(std::vector<std::uint8_t>& wire) {
  const State state = transmit(Bytes(wire));
  wire.clear();
  return state;
}

// Sends what is ready to go over the wire, or has it wait.
Stream::State Stream::transmit(Bytes wire) {
  if (!wire.empty() && !has_waiting()) {
    const std::optional<std::size_t> sent = send_some(fd(), wire);
    if (!sent) return State::ended;
    wire = wire.subspan(*sent);
  }
  wait(wire);
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
