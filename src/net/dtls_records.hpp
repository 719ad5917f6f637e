// The data records of an association whose handshake is done, under AES-GCM (RFC 6347 §4.1, RFC 5288).
// OpenSSL's own record layer takes three times as long for a message of 160 bytes as the encryption in it;
// this one works in place and leaves everything else, such as handshakes and alerts, to OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "net/traffic_keys.hpp"
#include "turnpike/base/bytes.hpp"

namespace turnpike::net {

// Where a record stands in a datagram. Views it.
struct DtlsRecord {
  static constexpr std::size_t kHeaderSize = 13;

  MutableBytes bytes;  // with its header
  RecordContent type{};
  std::uint64_t number = 0;  // with the epoch in the upper 16 bits

  // Data under the first keys that were agreed on, and with DTLS 1.2 there are no others.
  bool is_data() const { return type == RecordContent::application_data && number >> 48 == 1; }
  // What else may come under these keys.
  bool is_control() const {
    return (type == RecordContent::alert || type == RecordContent::handshake) && number >> 48 == 1;
  }

  // The first one, taken off the front of `datagram`; nothing when it is cut short.
  static std::optional<DtlsRecord> take(MutableBytes& datagram);
};

// Belongs to one association.
class DtlsRecords {
 public:
  static constexpr std::size_t kNonceSize = 8;
  static constexpr std::size_t kTagSize = 16;
  static constexpr std::size_t kTextAt = DtlsRecord::kHeaderSize + kNonceSize;
  static constexpr std::size_t kOverhead = kTextAt + kTagSize;

  // The text of the alert that is a goodbye (RFC 5246 §7.2.1).
  static constexpr std::array<std::uint8_t, 2> kCloseNotify{1, 0};

  // The number of the record that ends a handshake.
  static constexpr std::uint64_t kFinished = std::uint64_t{1} << 48;

  // For either side of a handshake that is done. Records up to the number `seen` count as received. Nothing
  // when another kind of cipher was agreed on.
  static std::optional<DtlsRecords> of(SSL* dtls, std::uint64_t seen);

  // Decrypts in place. Nothing when the record is not authentic or was there before.
  std::optional<MutableBytes> open(const DtlsRecord& record);

  // Encrypts the `size` bytes behind the place for header and nonce at `record`, and makes it a record of
  // size
  // + kOverhead. What is there when it fails must not be sent.
  [[nodiscard]] bool seal(RecordContent type, std::uint8_t* record, std::size_t size);

 private:
  DtlsRecords() = default;
  bool is_new(std::uint64_t number) const;
  void note(std::uint64_t number);

  // Both know the salt of their nonces. The rest of a nonce is the record's own to read, and to write a count
  // from a random start, as with OpenSSL's own records under the same key.
  CipherContext reading_;
  CipherContext writing_;
  std::uint64_t next_ = 0;      // number to write
  std::uint64_t highest_ = 0;   // number received,
  std::uint64_t received_ = 0;  // and which of the 64 up to it (RFC 6347 §4.1.2.6), it being bit 0
};

}  // namespace turnpike::net
