#include "net/tls_records.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace turnpike::net {
namespace {

constexpr std::uint16_t kVersion = 0x0303;  // of the records of both
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kExplicitNonceSize = 8;  // AES-GCM in TLS 1.2 (RFC 5288 §3)
constexpr std::size_t kSaltSize = 4;
constexpr std::size_t kMostKeySize = 32;
constexpr std::size_t kAlertSize = 2;

// A KeyUpdate message (RFC 8446 §4.6.3) without its only octet, which says whether one is asked for.
constexpr std::array<std::uint8_t, 4> kKeyUpdate{24, 0, 0, 1};
constexpr std::uint8_t kNotRequested = 0;
constexpr std::uint8_t kRequested = 1;

// RFC 8446 §5.2: the header. RFC 5246 §6.2.3.3: the record's number, and a header with the size of the text.
class AssociatedData {
 public:
  AssociatedData(bool is_1_3, std::uint64_t number, Bytes record, std::size_t text_size) {
    std::memcpy(&data_[8], record.data(), TlsRecords::kHeaderSize);
    if (is_1_3) {
      view_ = Bytes(data_).subspan(8);
      return;
    }
    store_u64(data_.data(), number);
    store_u16(&data_[11], static_cast<std::uint16_t>(text_size));
    view_ = data_;
  }
  AssociatedData(const AssociatedData&) = delete;
  AssociatedData& operator=(const AssociatedData&) = delete;

  const std::uint8_t* data() const { return view_.data(); }
  int size() const { return static_cast<int>(view_.size()); }

 private:
  std::array<std::uint8_t, 8 + TlsRecords::kHeaderSize> data_;
  Bytes view_;
};

OSSL_PARAM tag_param(std::uint8_t* tag) {
  return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, kTagSize);
}

}  // namespace

// --- Keys

std::optional<TlsRecords> TlsRecords::of(SSL* session, const Counts& counts, std::uint64_t records_per_key) {
  TlsRecords records;
  records.cipher_ = record_cipher(session);
  records.records_per_key_ = records_per_key;
  records.max_text_ = longest_text(session);
  records.reading_.context.reset(EVP_CIPHER_CTX_new());
  records.writing_.context.reset(EVP_CIPHER_CTX_new());
  if (!records.cipher_ || !records.reading_.context || !records.writing_.context) return std::nullopt;
  if (SSL_version(session) == TLS1_3_VERSION) {
    const TrafficSecrets* secrets = TrafficSecrets::of(session);
    records.digest_ = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(session));
    if (!secrets || !records.digest_ || !records.set_keys_1_3(*secrets)) return std::nullopt;
  } else if (!records.set_keys_1_2(session)) {
    return std::nullopt;
  }
  records.reading_.next = counts.read;
  records.writing_.next = counts.written;
  return records;
}

bool TlsRecords::set_keys_1_2(SSL* session) {
  const auto key_size = static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher_));
  if (is_gcm(cipher_)) explicit_nonce_ = kExplicitNonceSize;
  const std::size_t iv_size = explicit_nonce_ != 0 ? kSaltSize : kNonceSize;
  Secret<2 * (kMostKeySize + kNonceSize)> block;
  const MutableBytes keys = MutableBytes(block).first(2 * (key_size + iv_size));
  if (!derive_key_block(session, keys)) return false;
  const Bytes ivs = keys.subspan(2 * key_size);
  std::ranges::copy(ivs.first(iv_size), reading_.iv.begin());
  std::ranges::copy(ivs.subspan(iv_size), writing_.iv.begin());
  return reading_.use_key(cipher_, keys.first(key_size), false) &&
         writing_.use_key(cipher_, keys.subspan(key_size, key_size), true);
}

bool TlsRecords::set_keys_1_3(const TrafficSecrets& secrets) {
  reading_.secret = secrets.client;
  writing_.secret = secrets.server;
  return use_secret(reading_) && use_secret(writing_);
}

bool TlsRecords::Direction::use_key(const EVP_CIPHER* cipher, Bytes key, bool encrypts) {
  return EVP_CipherInit_ex2(context.get(), cipher, key.data(), nullptr, encrypts ? 1 : 0, nullptr) == 1;
}

// RFC 8446 §7.3.
bool TlsRecords::use_secret(Direction& direction) {
  const Bytes secret = Bytes(direction.secret).first(secret_size());
  Secret<kMostKeySize> all;
  const MutableBytes key =
      MutableBytes(all).first(static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher_)));
  return expand_label(digest_, secret, "key", key) && expand_label(digest_, secret, "iv", direction.iv) &&
         direction.use_key(cipher_, key, &direction == &writing_);
}

// RFC 8446 §7.2.
bool TlsRecords::renew(Direction& direction) {
  const Secret<EVP_MAX_MD_SIZE> last = direction.secret;
  const bool done = expand_label(digest_, Bytes(last).first(secret_size()), "traffic upd",
                                 MutableBytes(direction.secret).first(secret_size())) &&
                    use_secret(direction);
  if (done) {
    direction.next = 0;
  } else {
    all_said_ = true;  // there is no key to say anything with
  }
  return done;
}

std::size_t TlsRecords::secret_size() const { return static_cast<std::size_t>(EVP_MD_get_size(digest_)); }

// RFC 8446 §5.3 and RFC 7905 §2, or RFC 5288 §3.
TlsRecords::Nonce TlsRecords::nonce_of(const Direction& direction, const std::uint8_t* record) const {
  Nonce nonce = direction.iv;
  if (explicit_nonce_ != 0) {
    std::memcpy(&nonce[kSaltSize], record + kHeaderSize, kExplicitNonceSize);
    return nonce;
  }
  std::array<std::uint8_t, 8> number;
  store_u64(number.data(), direction.next);
  for (std::size_t i = 0; i < number.size(); ++i) nonce[kNonceSize - number.size() + i] ^= number[i];
  return nonce;
}

// --- What comes

std::optional<std::size_t> TlsRecords::size_of(Bytes wire) {
  if (wire.size() < kHeaderSize) return std::nullopt;
  return kHeaderSize + load_u16(&wire[3]);
}

TlsRecords::Opened TlsRecords::open(MutableBytes record, std::vector<std::uint8_t>& out) {
  auto type = RecordContent{record[0]};
  if (is_1_3() && type != RecordContent::application_data) return fail(Alert::unexpected_message, out);
  MutableBytes text = record.subspan(kHeaderSize);
  if (!decrypt(record, text)) return fail(Alert::bad_record_mac, out);
  if (is_1_3() && !unwrap(type, text)) return fail(Alert::unexpected_message, out);
  if (text.size() > kLongestText) return fail(Alert::record_overflow, out);
  const bool is_data = type == RecordContent::application_data && !text.empty();
  control_in_a_row_ = is_data ? 0 : control_in_a_row_ + 1;
  if (control_in_a_row_ > kMostControl) return fail(Alert::unexpected_message, out);
  switch (type) {
    case RecordContent::application_data: return {text, false};
    case RecordContent::alert: return on_alert(text, out);
    case RecordContent::handshake: return is_1_3() ? on_key_update(text, out) : on_renegotiation(out);
    default: return fail(Alert::unexpected_message, out);
  }
}

// `text` becomes what is encrypted in the record, in plain. False when it is not authentic.
bool TlsRecords::decrypt(MutableBytes record, MutableBytes& text) {
  const std::size_t overhead = kHeaderSize + explicit_nonce_ + kTagSize;
  if (record.size() < overhead) return false;
  text = record.subspan(kHeaderSize + explicit_nonce_, record.size() - overhead);
  const AssociatedData associated(is_1_3(), reading_.next, record, text.size());
  const Nonce nonce = nonce_of(reading_, record.data());
  ++reading_.next;
  const OSSL_PARAM params[] = {tag_param(text.data() + text.size()), OSSL_PARAM_construct_end()};
  EVP_CIPHER_CTX* context = reading_.context.get();
  int size = 0;
  return EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), params) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &size, associated.data(), associated.size()) == 1 &&
         EVP_DecryptUpdate(context, text.data(), &size, text.data(), static_cast<int>(text.size())) == 1 &&
         EVP_DecryptFinal_ex(context, text.data() + text.size(), &size) == 1;
}

// Behind the text stand its type and any number of zeros (RFC 8446 §5.4).
bool TlsRecords::unwrap(RecordContent& type, MutableBytes& text) {
  while (!text.empty() && text.back() == 0) text = text.first(text.size() - 1);
  if (text.empty()) return false;
  type = RecordContent{text.back()};
  text = text.first(text.size() - 1);
  return true;
}

TlsRecords::Opened TlsRecords::on_alert(Bytes text, std::vector<std::uint8_t>& out) {
  if (text.size() != kAlertSize) return fail(Alert::decode_error, out);
  const Alert alert{text[1]};
  if (alert == Alert::close_notify) return {{}, true};
  // In TLS 1.3 the level says nothing (RFC 8446 §6).
  if (is_1_3() ? alert == Alert::user_canceled : AlertLevel{text[0]} == AlertLevel::warning) return {};
  all_said_ = true;
  return {{}, true};
}

TlsRecords::Opened TlsRecords::on_key_update(Bytes text, std::vector<std::uint8_t>& out) {
  const bool is_one = text.size() == kKeyUpdate.size() + 1 && text.back() <= kRequested &&
                      std::ranges::equal(kKeyUpdate, text.first(kKeyUpdate.size()));
  if (!is_one) return fail(Alert::unexpected_message, out);
  const bool done = renew(reading_) && (text.back() == kNotRequested || update_keys(out));
  return {{}, !done};
}

// No is the answer, and everything goes on (RFC 5246 §7.2.2).
TlsRecords::Opened TlsRecords::on_renegotiation(std::vector<std::uint8_t>& out) {
  return {{}, !add_alert(AlertLevel::warning, Alert::no_renegotiation, out)};
}

// --- What goes

// With its type behind the text in TLS 1.3.
std::size_t TlsRecords::record_size(std::size_t text_size) const {
  return kHeaderSize + explicit_nonce_ + text_size + (is_1_3() ? 1 : 0) + kTagSize;
}

// Room for a record with a text of `size` octets; returns where that begins.
std::uint8_t* TlsRecords::add_room(std::size_t size, std::vector<std::uint8_t>& out) const {
  const std::size_t before = out.size();
  out.resize(before + record_size(size));
  return &out[before + kHeaderSize + explicit_nonce_];
}

bool TlsRecords::add(RecordContent type, Bytes text, std::vector<std::uint8_t>& out) {
  std::ranges::copy(text, add_room(text.size(), out));
  return encrypt(type, text.size(), out);
}

// The record that `out` ends with, whose text of `size` octets is in its place.
bool TlsRecords::encrypt(RecordContent type, std::size_t size, std::vector<std::uint8_t>& out) {
  const MutableBytes record = MutableBytes(out).last(record_size(size));
  record[0] = static_cast<std::uint8_t>(is_1_3() ? RecordContent::application_data : type);
  store_u16(&record[1], kVersion);
  store_u16(&record[3], static_cast<std::uint16_t>(record.size() - kHeaderSize));
  if (explicit_nonce_ != 0) store_u64(&record[kHeaderSize], writing_.next);
  std::uint8_t* text = &record[kHeaderSize + explicit_nonce_];
  const AssociatedData associated(is_1_3(), writing_.next, record, size);
  if (is_1_3()) text[size++] = static_cast<std::uint8_t>(type);
  const Nonce nonce = nonce_of(writing_, record.data());
  ++writing_.next;
  OSSL_PARAM params[] = {tag_param(text + size), OSSL_PARAM_construct_end()};
  EVP_CIPHER_CTX* context = writing_.context.get();
  int sealed = 0;
  const bool done = EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
                    EVP_EncryptUpdate(context, nullptr, &sealed, associated.data(), associated.size()) == 1 &&
                    EVP_EncryptUpdate(context, text, &sealed, text, static_cast<int>(size)) == 1 &&
                    EVP_EncryptFinal_ex(context, text + size, &sealed) == 1 &&
                    EVP_CIPHER_CTX_get_params(context, params) == 1;
  if (!done) all_said_ = true;
  return done;
}

bool TlsRecords::update_keys(std::vector<std::uint8_t>& out) {
  std::array<std::uint8_t, kKeyUpdate.size() + 1> message{};
  std::ranges::copy(kKeyUpdate, message.begin());
  message.back() = kNotRequested;
  return add(RecordContent::handshake, message, out) && renew(writing_);
}

bool TlsRecords::add_alert(AlertLevel level, Alert alert, std::vector<std::uint8_t>& out) {
  const std::array<std::uint8_t, kAlertSize> message{static_cast<std::uint8_t>(level),
                                                     static_cast<std::uint8_t>(alert)};
  return add(RecordContent::alert, message, out);
}

void TlsRecords::close(std::vector<std::uint8_t>& out) {
  if (!std::exchange(all_said_, true)) (void)add_alert(AlertLevel::warning, Alert::close_notify, out);
}

TlsRecords::Opened TlsRecords::fail(Alert alert, std::vector<std::uint8_t>& out) {
  if (!std::exchange(all_said_, true)) (void)add_alert(AlertLevel::fatal, alert, out);
  return {{}, true};
}

void TlsRecords::refuse_long_record(std::vector<std::uint8_t>& out) { fail(Alert::record_overflow, out); }

}  // namespace turnpike::net
