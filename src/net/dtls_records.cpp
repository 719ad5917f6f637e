#include "net/dtls_records.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace turnpike::net {
namespace {

constexpr std::uint16_t kVersion = 0xFEFD;
constexpr std::size_t kAadSize = 13;
constexpr std::size_t kSaltSize = 4;
constexpr std::size_t kWindow = 64;

// Numbers that OpenSSL does not get to: it numbers its Finished, again when that gets lost, and alerts. A
// client has read the Finished before it sends anything that these are an answer to.
constexpr std::uint64_t kFirstNumber = DtlsRecords::kFinished + 4096;

// RFC 5246 §6.2.3.3.
std::array<std::uint8_t, kAadSize> additional_data(std::uint64_t number, RecordContent type,
                                                   std::size_t size) {
  std::array<std::uint8_t, kAadSize> data;
  store_u64(data.data(), number);
  data[8] = static_cast<std::uint8_t>(type);
  store_u16(&data[9], kVersion);
  store_u16(&data[11], static_cast<std::uint16_t>(size));
  return data;
}

// Treats a whole record body, nonce, text and tag, in place: a call for each of them would take twice the
// time. `size` is what OpenSSL is told of it: on the way out the tag is not there yet.
bool process(EVP_CIPHER_CTX* context, RecordContent type, std::uint64_t number, MutableBytes body,
             std::size_t size) {
  auto data = additional_data(number, type, size);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, data.data(), data.size()),
      OSSL_PARAM_construct_end(),
  };
  int processed = 0;
  return EVP_CIPHER_CTX_set_params(context, params) == 1 &&
         EVP_CipherUpdate(context, body.data(), &processed, body.data(), static_cast<int>(body.size())) == 1;
}

bool set_salt(EVP_CIPHER_CTX* context, Bytes salt) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IV_FIXED, static_cast<int>(salt.size()),
                             const_cast<std::uint8_t*>(salt.data())) == 1;
}

constexpr std::size_t kLongestKeys = 2 * (32 + kSaltSize);

}  // namespace

std::optional<DtlsRecord> DtlsRecord::take(MutableBytes& datagram) {
  if (datagram.size() < kHeaderSize) return std::nullopt;
  const std::size_t size = kHeaderSize + load_u16(&datagram[11]);
  if (datagram.size() < size) return std::nullopt;
  const DtlsRecord record{datagram.first(size), RecordContent{datagram[0]}, load_u64(&datagram[3])};
  datagram = datagram.subspan(size);
  return record;
}

std::optional<DtlsRecords> DtlsRecords::of(SSL* dtls, std::uint64_t seen) {
  const EVP_CIPHER* cipher = record_cipher(dtls);
  if (!cipher || !is_gcm(cipher)) return std::nullopt;
  const auto key_size = static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher));
  Secret<kLongestKeys> keys;
  if (!derive_key_block(dtls, MutableBytes(keys).first(2 * (key_size + kSaltSize)))) return std::nullopt;

  const Bytes client_key = Bytes(keys).first(key_size);
  const Bytes server_key = Bytes(keys).subspan(key_size, key_size);
  const Bytes client_salt = Bytes(keys).subspan(2 * key_size, kSaltSize);
  const Bytes server_salt = Bytes(keys).subspan(2 * key_size + kSaltSize, kSaltSize);
  const bool server = SSL_is_server(dtls) == 1;

  DtlsRecords records;
  records.reading_.reset(EVP_CIPHER_CTX_new());
  records.writing_.reset(EVP_CIPHER_CTX_new());
  EVP_CIPHER_CTX* reading = records.reading_.get();
  EVP_CIPHER_CTX* writing = records.writing_.get();
  if (!reading || !writing ||
      EVP_DecryptInit_ex2(reading, cipher, (server ? client_key : server_key).data(), nullptr, nullptr) !=
          1 ||
      EVP_EncryptInit_ex2(writing, cipher, (server ? server_key : client_key).data(), nullptr, nullptr) !=
          1 ||
      !set_salt(reading, server ? client_salt : server_salt) ||
      !set_salt(writing, server ? server_salt : client_salt)) {
    return std::nullopt;
  }
  records.next_ = kFirstNumber;
  records.highest_ = seen;
  records.received_ = ~std::uint64_t{0};
  return records;
}

std::optional<MutableBytes> DtlsRecords::open(const DtlsRecord& record) {
  const MutableBytes body = record.bytes.subspan(DtlsRecord::kHeaderSize);
  if (body.size() < kNonceSize + kTagSize || load_u16(&record.bytes[1]) != kVersion ||
      !is_new(record.number)) {
    return std::nullopt;
  }
  if (!process(reading_.get(), record.type, record.number, body, body.size())) return std::nullopt;
  note(record.number);
  return body.subspan(kNonceSize, body.size() - kNonceSize - kTagSize);
}

bool DtlsRecords::seal(RecordContent type, std::uint8_t* record, std::size_t size) {
  const std::uint64_t number = next_++;
  record[0] = static_cast<std::uint8_t>(type);
  store_u16(record + 1, kVersion);
  store_u64(record + 3, number);
  store_u16(record + 11, static_cast<std::uint16_t>(kNonceSize + size + kTagSize));
  const MutableBytes body(record + DtlsRecord::kHeaderSize, kNonceSize + size + kTagSize);
  return process(writing_.get(), type, number, body, kNonceSize + size);
}

bool DtlsRecords::is_new(std::uint64_t number) const {
  if (number > highest_) return true;
  const std::uint64_t back = highest_ - number;
  return back < kWindow && (received_ >> back & 1) == 0;
}

void DtlsRecords::note(std::uint64_t number) {
  if (number <= highest_) {
    received_ |= std::uint64_t{1} << (highest_ - number);
    return;
  }
  const std::uint64_t ahead = number - highest_;
  received_ = ahead < kWindow ? received_ << ahead | 1 : 1;
  highest_ = number;
}

}  // namespace turnpike::net
