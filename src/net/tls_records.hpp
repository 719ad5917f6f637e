// The server's records of a TLS connection whose handshake is done: TLS 1.2 (RFC 5246 §6.2.3.3) and TLS 1.3
// (RFC 8446 §5), under AES-GCM and ChaCha20-Poly1305. Of what OpenSSL's own record layer costs for a message
// of 160 octets the encryption is a tenth, and its state is several times what this needs. Handshakes stay
// OpenSSL's; what may follow one is little, and is here: alerts, new keys of TLS 1.3, and no renegotiation of
// TLS 1.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/traffic_keys.hpp"
#include "turnpike/base/bytes.hpp"

namespace turnpike::net {

// Belongs to one connection.
class TlsRecords {
 public:
  static constexpr std::size_t kHeaderSize = 5;
  // A record of more has no place in either version.
  static constexpr std::size_t kMaxRecord = kHeaderSize + kLongestText + 256;

  // How many records OpenSSL has read and written under the keys that the handshake ended with.
  struct Counts {
    std::uint64_t read = 0;
    std::uint64_t written = 0;
  };
  // RFC 8446 §5.5 has AES-GCM keys replaced before 2^24.5 records; there is no such way in TLS 1.2.
  static constexpr std::uint64_t kRecordsPerKey = std::uint64_t{1} << 24;

  // Nothing when OpenSSL does not tell the keys, or for another kind of cipher.
  static std::optional<TlsRecords> of(SSL* session, const Counts& counts,
                                      std::uint64_t records_per_key = kRecordsPerKey);

  // The size of the record that begins with `wire`, as it says; nothing before its header is whole.
  static std::optional<std::size_t> size_of(Bytes wire);

  struct Opened {
    MutableBytes text;    // of application data; views the record
    bool is_end = false;  // the client said goodbye, or broke a rule
  };
  // Takes one whole record and decrypts it in place. What has to be said to what it brought is added to
  // `out`, as records.
  Opened open(MutableBytes record, std::vector<std::uint8_t>& out);

  // How much text one record may have that we send.
  std::size_t max_text() const { return max_text_; }
  // Adds a record with `size` octets of application data, at most max_text(), to `out`; `fill` is called with
  // where they are to be written. False when it is closed or OpenSSL fails; `out` must then not be sent.
  template <class Fill>
  [[nodiscard]] bool seal(std::size_t size, std::vector<std::uint8_t>& out, Fill&& fill) {
    if (all_said_ || (is_1_3() && writing_.next >= records_per_key_ && !update_keys(out))) return false;
    fill(add_room(size, out));
    return encrypt(RecordContent::application_data, size, out);
  }

  // Whether nothing more may be sent: one side has said goodbye, or why it ends.
  bool is_closed() const { return all_said_; }
  // Adds the goodbye, unless all has been said already.
  void close(std::vector<std::uint8_t>& out);
  // The same for a client that sent a record of more than kMaxRecord.
  void refuse_long_record(std::vector<std::uint8_t>& out);

 private:
  static constexpr std::size_t kNonceSize = 12;
  // Records in a row that bring no data. Each costs more than one that does.
  static constexpr std::uint8_t kMostControl = 32;

  // RFC 5246 §7.2, RFC 8446 §6.
  enum class Alert : std::uint8_t {
    close_notify = 0,
    unexpected_message = 10,
    bad_record_mac = 20,
    record_overflow = 22,
    decode_error = 50,
    user_canceled = 90,
    no_renegotiation = 100,
  };
  enum class AlertLevel : std::uint8_t { warning = 1, fatal = 2 };

  using Nonce = std::array<std::uint8_t, kNonceSize>;
  struct Direction {
    bool use_key(const EVP_CIPHER* cipher, Bytes key, bool encrypts);

    CipherContext context;
    Secret<kNonceSize> iv;           // with AES-GCM of TLS 1.2, its first four octets
    Secret<EVP_MAX_MD_SIZE> secret;  // of TLS 1.3
    std::uint64_t next = 0;          // number of the next record under this key
  };

  TlsRecords() = default;
  bool set_keys_1_2(SSL* session);
  bool set_keys_1_3(const TrafficSecrets& secrets);
  bool use_secret(Direction& direction);
  bool renew(Direction& direction);
  std::size_t secret_size() const;
  bool is_1_3() const { return digest_ != nullptr; }
  Nonce nonce_of(const Direction& direction, const std::uint8_t* record) const;

  bool decrypt(MutableBytes record, MutableBytes& text);
  static bool unwrap(RecordContent& type, MutableBytes& text);
  Opened on_alert(Bytes text, std::vector<std::uint8_t>& out);
  Opened on_key_update(Bytes text, std::vector<std::uint8_t>& out);
  Opened on_renegotiation(std::vector<std::uint8_t>& out);

  std::size_t record_size(std::size_t text_size) const;
  std::uint8_t* add_room(std::size_t size, std::vector<std::uint8_t>& out) const;
  bool encrypt(RecordContent type, std::size_t size, std::vector<std::uint8_t>& out);
  bool add(RecordContent type, Bytes text, std::vector<std::uint8_t>& out);
  bool add_alert(AlertLevel level, Alert alert, std::vector<std::uint8_t>& out);
  bool update_keys(std::vector<std::uint8_t>& out);
  Opened fail(Alert alert, std::vector<std::uint8_t>& out);

  Direction reading_;
  Direction writing_;
  const EVP_CIPHER* cipher_ = nullptr;
  const EVP_MD* digest_ = nullptr;  // of TLS 1.3
  std::uint64_t records_per_key_ = kRecordsPerKey;
  std::uint8_t explicit_nonce_ = 0;  // octets of a nonce that a record carries
  std::uint8_t control_in_a_row_ = 0;
  std::size_t max_text_ = kLongestText;
  bool all_said_ = false;
};

}  // namespace turnpike::net
