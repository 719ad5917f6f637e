#include "net/dtls.hpp"

#include <algorithm>
#include <utility>

#include "net/tls_wire.hpp"

namespace turnpike::net {
namespace {

// The record header: type, version, epoch, sequence number and length (RFC 6347 §4.1).
constexpr std::size_t kHeaderSize = 13;
constexpr std::size_t kVersionAt = 1;
constexpr std::size_t kEpochAt = 3;
constexpr std::size_t kLengthAt = 11;

// The longest handshake message in clear text that this server accepts: a ClientHello with a session ticket
// and a long list of extensions. OpenSSL allocates a buffer of the size that the message claims.
constexpr std::uint32_t kMaxHello = 4 << 10;
// At most this many records that may be the client's Finished are given to OpenSSL, counted separately for
// early and for timely records. Only the first genuine one counts, and each forged one makes OpenSSL keep 18
// kB.
constexpr std::uint8_t kMaxFinished = 4;

}  // namespace

// One record of a datagram.
struct DtlsAssociation::Record {
  MutableBytes bytes;

  std::uint8_t type() const { return bytes[0]; }
  std::uint16_t version() const { return load_u16(&bytes[kVersionAt]); }
  std::uint16_t epoch() const { return load_u16(&bytes[kEpochAt]); }
  Bytes body() const { return Bytes(bytes).subspan(kHeaderSize); }

  // Takes the next record from the front of the datagram. An incomplete record is left there.
  static std::optional<Record> take(MutableBytes& datagram) {
    if (datagram.size() < kHeaderSize) return std::nullopt;
    const std::size_t size = kHeaderSize + load_u16(&datagram[kLengthAt]);
    if (size > datagram.size()) return std::nullopt;
    const Record record{datagram.first(size)};
    datagram = datagram.subspan(size);
    return record;
  }
};

DtlsAssociation::DtlsAssociation(const TlsContext& dtls, const DtlsHello& hello, DtlsBuffers& buffers)
    : endpoint_(dtls.new_session()), buffers_(buffers), hello_number_(hello.message_number) {
  std::ranges::copy(hello.random, random_.begin());
}

DtlsAssociation::State DtlsAssociation::start(Bytes datagram) {
  endpoint_.listen(datagram, buffers_.out_);
  return update_state();
}

DtlsAssociation::State DtlsAssociation::receive(MutableBytes datagram, std::vector<Bytes>& messages) {
  while (const auto record = Record::take(datagram)) {
    if (!endpoint_.can_receive()) break;
    if (!is_well_formed(*record)) {
      ++buffers_.counters.implausible;
    } else if (is_established()) {
      read(*record, messages);
    } else {
      do_handshake(*record);
      if (is_established()) read_early(messages);
    }
  }
  return update_state();
}

// OpenSSL 3.0 skips only the header of a record with a wrong version or a wrong length, and then parses the
// body as records. Such records are therefore dropped here.
bool DtlsAssociation::is_well_formed(const Record& record) const {
  const bool may_differ = record.type() == kAlert || endpoint_.expects_hello();
  if (record.version() != kDtls12 && !(may_differ && record.version() >> 8 == kDtlsMajor)) return false;
  return record.body().size() <= endpoint_.max_record();
}

// --- During the handshake

// OpenSSL 3.0 keeps up to a hundred records that arrive before their keys, each in a buffer of 17 kB. It also
// keeps ten handshake messages that arrive out of order, each in a buffer of the claimed size. An attacker
// needs no keys for either. Therefore a few early records are kept here, in exactly the memory that they
// need.
void DtlsAssociation::do_handshake(const Record& record) {
  if (record.epoch() == 0) {
    if (!is_plausible(record)) {
      ++buffers_.counters.implausible;
      return;
    }
    const bool expected_finished = endpoint_.expects_finished();
    feed(record);
    if (expected_finished || !endpoint_.expects_finished()) return;
    overhead_ = static_cast<std::uint8_t>(endpoint_.record_overhead());
    std::uint8_t fed = 0;
    for (MutableBytes rest = early_.bytes(); const auto early = Record::take(rest);) {
      if (!endpoint_.expects_finished() || fed == kMaxFinished) break;
      if (early->type() != kHandshake || is_too_short(*early)) continue;
      feed(*early);
      ++fed;
    }
  } else if (record.epoch() == 1) {
    if (!endpoint_.expects_finished() || record.type() != kHandshake) {
      keep_early(record);
    } else if (finished_count_ < kMaxFinished && !is_too_short(record)) {
      ++finished_count_;
      feed(record);
    } else {
      ++buffers_.counters.implausible;
    }
  }
}

void DtlsAssociation::keep_early(const Record& record) {
  if (early_count_ < kMaxEarly && early_.append(record.bytes)) {
    ++early_count_;
  } else {
    ++buffers_.counters.early_dropped;
  }
}

// This server asks for no client certificate, so after its hello a client sends only one handshake message in
// clear text, the ClientKeyExchange. It never sends application data in clear text.
bool DtlsAssociation::is_plausible(const Record& record) const {
  if (record.type() != kHandshake) return record.type() != kApplicationData;
  ByteReader reader(record.body());
  while (reader.ok() && !reader.at_end()) {
    const DtlsFragment fragment = DtlsFragment::read(reader);
    if (!fragment.fits() || fragment.message_number > hello_number_ + 1 ||
        fragment.message_size > kMaxHello) {
      return false;
    }
  }
  return reader.ok();
}

void DtlsAssociation::feed(const Record& record) {
  (void)endpoint_.receive(record.bytes, record.bytes, buffers_.out_);
}

// Decrypts the records that arrived before the keys.
void DtlsAssociation::read_early(std::vector<Bytes>& messages) {
  BoundedBuffer& received = buffers_.early_.emplace_back(std::move(early_));
  for (MutableBytes rest = received.bytes(); const auto early = Record::take(rest);) {
    if (endpoint_.can_receive()) read(*early, messages);
  }
}

DtlsAssociation::State DtlsAssociation::on_timeout() {
  endpoint_.retransmit(buffers_.out_);
  return update_state();
}

DtlsAssociation::State DtlsAssociation::update_state() {
  if (endpoint_.can_receive()) return State::open;
  if (!is_established()) ++buffers_.counters.handshakes_failed;
  return State::ended;
}

bool DtlsAssociation::began_with(const DtlsHello& hello) const {
  return std::ranges::equal(random_, hello.random);
}

// --- After the handshake

// OpenSSL 3.0 treats a record that is shorter than its nonce and tag as an internal error and ends the
// association. Anybody could then end any association with one forged datagram of 14 octets.
bool DtlsAssociation::is_too_short(const Record& record) const {
  return record.epoch() != 0 && record.body().size() < overhead_;
}

// The plain text is never longer than its record, so it overwrites the record.
void DtlsAssociation::read(const Record& record, std::vector<Bytes>& messages) {
  if (is_too_short(record)) return;
  const std::size_t size = endpoint_.receive(record.bytes, record.bytes, buffers_.out_);
  if (size != 0) messages.push_back(record.bytes.first(size));
}

void DtlsAssociation::send(Bytes head, Bytes payload, std::size_t padding) {
  if (!endpoint_.can_send()) return;
  BoundedBuffer& plain = buffers_.plain_;
  plain.clear();
  plain.allow(endpoint_.max_plaintext());
  if (!plain.append(head) || !plain.append(payload) || !plain.append_zeros(padding)) {
    ++buffers_.counters.too_long;
  } else {
    (void)endpoint_.send(plain.bytes(), buffers_.out_);
  }
}

}  // namespace turnpike::net
