#include "net/dtls.hpp"

#include <openssl/err.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "net/custom_bio.hpp"

namespace turnpike::net {
namespace {

constexpr std::uint32_t kMostEarly = 32;  // records that come ahead of the end of a handshake

// RFC 5246 §7.2 and §7.4.
constexpr std::array<std::uint8_t, 2> kNoRenegotiation{1, 100};
constexpr std::uint8_t kFatal = 2;
constexpr std::uint8_t kClientHello = 1;

struct BioAddressDeleter {
  void operator()(BIO_ADDR* address) const { BIO_ADDR_free(address); }
};

// To clear the queue costs more when it is empty than to look.
void clear_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

// --- What DTLS reads and writes: whole datagrams

struct DtlsAssociation::Wire {
  static DtlsBuffers& of(BIO* bio) { return *static_cast<DtlsBuffers*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    std::optional<Bytes>& in = of(bio).in_;
    BIO_clear_retry_flags(bio);
    if (!in) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(in->size(), static_cast<std::size_t>(std::max(size, 0)));
    std::memcpy(to, in->data(), taken);
    in.reset();  // what did not fit is gone, as with a socket
    return static_cast<int>(taken);
  }

  static int write(BIO* bio, const char* from, int size) {
    DtlsBuffers& buffers = of(bio);
    const auto length = static_cast<std::size_t>(size);
    if (DtlsBuffers::kSize - buffers.used_ < length) {
      ++buffers.counters.out_of_space;
    } else {
      buffers.add({reinterpret_cast<const std::uint8_t*>(from), length});
    }
    return size;
  }

  static long control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : command == BIO_CTRL_DGRAM_QUERY_MTU ? kHandshakeMtu : 0;
  }
};

// --- Buffers

DtlsBuffers::DtlsBuffers()
    : memory_(std::make_unique_for_overwrite<std::uint8_t[]>(kSize)),
      plain_(std::make_unique_for_overwrite<std::uint8_t[]>(DtlsAssociation::kMaxMessage)) {}

void DtlsBuffers::add(Bytes datagram) {
  std::memcpy(next(), datagram.data(), datagram.size());
  add_next(datagram.size());
}

void DtlsBuffers::add_next(std::size_t size) {
  datagrams_.emplace_back(next(), size);
  used_ += size;
}

// --- Association

DtlsAssociation::DtlsAssociation(const TlsContext& dtls, const DtlsHello& hello, DtlsBuffers& buffers)
    : dtls_(dtls.new_session()), buffers_(buffers) {
  std::ranges::copy(hello.random, random_.begin());
  BIO* bio = make_custom_bio<Wire>(&buffers_);
  SSL_set_bio(dtls_.get(), bio, bio);
  SSL_set_mtu(dtls_.get(), kHandshakeMtu);
}

// The cookie was verified before there was an association: here the message numbers are set to what a client
// with a cookie goes on with.
DtlsAssociation::State DtlsAssociation::start(Bytes datagram) {
  const std::unique_ptr<BIO_ADDR, BioAddressDeleter> nobody(BIO_ADDR_new());
  if (!nobody) throw std::bad_alloc();
  clear_errors();
  buffers_.in_ = datagram;
  const int heard = DTLSv1_listen(dtls_.get(), nobody.get());
  buffers_.in_.reset();
  if (heard != 1) return fail();
  return after(SSL_do_handshake(dtls_.get()));
}

DtlsAssociation::State DtlsAssociation::receive(MutableBytes slot, std::size_t size,
                                                std::vector<Bytes>& messages) {
  if (records_) return read_records(slot.first(size), messages);
  if (established_) return read(slot.first(size), slot, messages);

  for (MutableBytes rest = slot.first(size); const auto record = DtlsRecord::take(rest);) {
    if (record->number >> 48 == 0) continue;
    if (++early_ > kMostEarly) return State::open;
    if (record->is_data()) highest_early_ = std::max(highest_early_, record->number);
  }
  const std::size_t before = messages.size();
  const State state = read(slot.first(size), slot, messages);
  if (established_) take_over_records(messages.size() == before ? 0 : highest_early_);
  return state;
}

// Through OpenSSL, which copies a datagram before it writes the first message over it.
DtlsAssociation::State DtlsAssociation::read(Bytes datagram, MutableBytes room,
                                             std::vector<Bytes>& messages) {
  clear_errors();
  buffers_.in_ = datagram;
  const bool was_established = established_;
  State state = State::open;
  while (room.size() >= kMaxMessage) {
    std::size_t size = 0;
    const int result = SSL_read_ex(dtls_.get(), room.data(), room.size(), &size);
    if (result != 1) {
      state = after(result);
      break;
    }
    messages.push_back(room.first(size));
    room = room.subspan(size);
    established_ = true;
    // The end of a handshake lets through what came before it; later on, one record is the rule.
    if (was_established && !buffers_.in_ && SSL_has_pending(dtls_.get()) == 0) break;
  }
  buffers_.in_.reset();
  return state;
}

DtlsAssociation::State DtlsAssociation::read_records(MutableBytes datagram, std::vector<Bytes>& messages) {
  State state = State::open;
  while (const auto record = DtlsRecord::take(datagram)) {
    if (record->is_data()) {
      const auto message = records_->open(*record);
      if (!message) continue;
      dtls_.reset();  // the client has all of the handshake, and needs none of it again
      if (!message->empty()) messages.push_back(*message);
    } else if (record->is_control() && record->bytes.size() > DtlsRecords::kOverhead) {
      if ((dtls_ ? read_control(record->bytes) : read_own_control(*record)) == State::ended)
        state = State::ended;
    }
  }
  return state;
}

// An alert, or the end of the handshake once more. OpenSSL gets its buffers back for as long as it takes.
DtlsAssociation::State DtlsAssociation::read_control(Bytes record) {
  clear_errors();
  SSL_alloc_buffers(dtls_.get());
  buffers_.in_ = record;
  std::size_t size = 0;
  const int result = SSL_read_ex(dtls_.get(), buffers_.plain_.get(), kMaxMessage, &size);
  const State state = result == 1 ? State::open : after(result);
  buffers_.in_.reset();
  SSL_free_buffers(dtls_.get());
  return state;
}

// The same without OpenSSL: this handshake is over, and there will be no other.
DtlsAssociation::State DtlsAssociation::read_own_control(const DtlsRecord& record) {
  const auto text = records_->open(record);
  if (!text || text->empty()) return State::open;
  if (record.type == RecordContent::alert) {
    return text->front() == kFatal || std::ranges::equal(*text, DtlsRecords::kCloseNotify) ? State::ended
                                                                                           : State::open;
  }
  if (text->front() == kClientHello) seal_alert(kNoRenegotiation);
  return State::open;
}

// Records up to `seen` have been read by OpenSSL.
void DtlsAssociation::take_over_records(std::uint64_t seen) {
  max_message_ = longest_text(dtls_.get());
  records_ = DtlsRecords::of(dtls_.get(), std::max(seen, DtlsRecords::kFinished));
  if (records_) SSL_free_buffers(dtls_.get());
}

DtlsAssociation::State DtlsAssociation::after(int result) {
  if (!established_) established_ = SSL_is_init_finished(dtls_.get()) == 1;
  if (result == 1 || SSL_get_error(dtls_.get(), result) == SSL_ERROR_WANT_READ) return State::open;
  return fail();
}

DtlsAssociation::State DtlsAssociation::fail() {
  if (!established_) ++buffers_.counters.handshakes_failed;
  return State::ended;
}

void DtlsAssociation::send(Bytes head, Bytes payload, std::size_t padding) {
  if (!established_) return;
  const std::size_t size = head.size() + payload.size() + padding;
  if (size > max_message_) {
    ++buffers_.counters.too_long;
    return;
  }
  std::uint8_t* plain = records_ ? buffers_.next() + DtlsRecords::kTextAt : buffers_.plain_.get();
  if (!head.empty()) std::memcpy(plain, head.data(), head.size());
  if (!payload.empty()) std::memcpy(plain + head.size(), payload.data(), payload.size());
  if (padding != 0) std::memset(plain + head.size() + payload.size(), 0, padding);
  if (records_) return seal(RecordContent::application_data, size);
  clear_errors();
  std::size_t written = 0;
  SSL_write_ex(dtls_.get(), plain, size, &written);
}

// What stands where the text of the next datagram goes.
void DtlsAssociation::seal(RecordContent type, std::size_t size) {
  if (records_->seal(type, buffers_.next(), size)) buffers_.add_next(size + DtlsRecords::kOverhead);
}

void DtlsAssociation::seal_alert(Bytes alert) {
  std::ranges::copy(alert, buffers_.next() + DtlsRecords::kTextAt);
  seal(RecordContent::alert, alert.size());
}

void DtlsAssociation::say_goodbye() {
  if (!established_) return;
  if (records_) return seal_alert(DtlsRecords::kCloseNotify);
  clear_errors();
  SSL_shutdown(dtls_.get());
}

bool DtlsAssociation::began_with(const DtlsHello& hello) const {
  return std::ranges::equal(random_, hello.random);
}

std::optional<Duration> DtlsAssociation::retransmits_in() const {
  timeval left{};
  if (established_ || DTLSv1_get_timeout(dtls_.get(), &left) != 1) return std::nullopt;
  return std::chrono::seconds(left.tv_sec) +
         std::chrono::ceil<Duration>(std::chrono::microseconds(left.tv_usec));
}

DtlsAssociation::State DtlsAssociation::on_timeout() {
  clear_errors();
  return DTLSv1_handle_timeout(dtls_.get()) < 0 ? fail() : State::open;
}

}  // namespace turnpike::net
