#include "net/server_name.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "net/tls_wire.hpp"

namespace turnpike::net {
namespace {

AskedName incomplete(std::size_t needed) {
  return {.kind = AskedName::Kind::incomplete, .name = {}, .needed = needed};
}
AskedName without_name(AskedName::Kind kind) { return {.kind = kind, .name = {}, .needed = 0}; }
AskedName named(std::string_view name) {
  return {.kind = AskedName::Kind::named, .name = std::string(name), .needed = 0};
}

// --- TLS

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMaxFragment = 1 << 14;  // RFC 8446 §5.1
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kMaxSession = 32;
constexpr std::uint16_t kServerName = 0;  // RFC 6066 §1.1
constexpr std::uint8_t kHostName = 0;
constexpr std::size_t kMaxHostName = 255;

// Collects the first handshake message of a stream from its records.
class HelloRecords {
 public:
  // Reads the next record of `reader`, or as much of it as has arrived. Returns false when the record is
  // incomplete or malformed.
  bool take(ByteReader& reader);

  bool is_malformed() const { return malformed_; }
  // Returns whether the whole message has arrived. body() is then the message without its header.
  bool is_whole() const { return size_ >= kMessageHeader && size_ >= message_size(); }
  Bytes body() const { return Bytes(message_).subspan(kMessageHeader, message_size() - kMessageHeader); }
  // Returns how many more octets of the incomplete record are needed.
  std::size_t missing() const { return missing_; }

 private:
  std::size_t message_size() const {
    return kMessageHeader + (std::size_t{message_[1]} << 16 | load_u16(&message_[2]));
  }
  void append(Bytes fragment);

  std::array<std::uint8_t, kMaxClientHello> message_;  // the first size_ octets are valid
  std::size_t size_ = 0;
  std::size_t missing_ = 0;
  bool malformed_ = false;
};

bool HelloRecords::take(ByteReader& reader) {
  const Bytes header = reader.rest().first(std::min(kRecordHeader, reader.rest().size()));
  if ((!header.empty() && header[0] != kHandshake) || (header.size() > 1 && header[1] != kTlsMajor)) {
    malformed_ = true;
    return false;
  }
  if (header.size() < kRecordHeader) {
    missing_ = kRecordHeader - header.size();
    return false;
  }
  const std::size_t length = load_u16(&header[3]);
  malformed_ = length == 0 || length > kMaxFragment;
  if (malformed_) return false;
  reader.take(kRecordHeader);
  const Bytes fragment = reader.take(std::min(length, reader.rest().size()));
  append(fragment);
  if (malformed_ || is_whole()) return false;
  const std::size_t of_record = length - fragment.size();
  const std::size_t of_message = size_ < kMessageHeader ? kMessageHeader - size_ : message_size() - size_;
  missing_ = std::min(of_record, of_message);
  return of_record == 0;
}

// Octets after the message in its last record are ignored.
void HelloRecords::append(Bytes fragment) {
  const std::size_t taken = std::min(fragment.size(), message_.size() - size_);
  std::ranges::copy(fragment.first(taken), message_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += taken;
  malformed_ = (size_ > 0 && message_[0] != kClientHello) ||
               (size_ >= kMessageHeader && message_size() > kMaxClientHello);
}

// RFC 6066 §3. Like OpenSSL, this accepts only a list with one name; nobody has ever defined another kind.
AskedName read_name_list(Bytes extension) {
  ByteReader reader(extension);
  ByteReader list(reader.take(reader.u16()));
  const bool is_host_name = list.u8() == kHostName;
  const Bytes name = list.take(list.u16());
  const bool is_whole = reader.ok() && reader.at_end() && list.ok() && list.at_end();
  const bool is_name = is_host_name && !name.empty() && name.size() <= kMaxHostName &&
                       std::ranges::find(name, std::uint8_t{0}) == name.end();
  return is_whole && is_name ? named(as_text(name)) : without_name(AskedName::Kind::malformed);
}

AskedName read_extensions(ByteReader list) {
  std::optional<Bytes> server_name;
  while (list.ok() && !list.at_end()) {
    const std::uint16_t type = list.u16();
    const Bytes extension = list.take(list.u16());
    if (type != kServerName || !list.ok()) continue;
    if (server_name)
      return without_name(AskedName::Kind::malformed);  // RFC 8446 §4.2: an extension may occur only once
    server_name = extension;
  }
  if (!list.ok()) return without_name(AskedName::Kind::malformed);
  return server_name ? read_name_list(*server_name) : without_name(AskedName::Kind::absent);
}

// The ClientHello of RFC 8446 §4.1.2, which has the same form in earlier versions.
AskedName read_hello(Bytes body) {
  ByteReader reader(body);
  const std::uint16_t version = reader.u16();
  reader.take(kRandomSize);
  const Bytes session = reader.take(reader.u8());
  const Bytes suites = reader.take(reader.u16());
  const Bytes compressions = reader.take(reader.u8());
  const bool is_hello = reader.ok() && version >> 8 == kTlsMajor && session.size() <= kMaxSession &&
                        !suites.empty() && suites.size() % 2 == 0 && !compressions.empty();
  if (!is_hello) return without_name(AskedName::Kind::malformed);
  if (reader.at_end()) return without_name(AskedName::Kind::absent);
  const ByteReader extensions(reader.take(reader.u16()));
  return reader.ok() && reader.at_end() ? read_extensions(extensions)
                                        : without_name(AskedName::Kind::malformed);
}

// --- HTTP

constexpr std::string_view kHost = "host:";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Returns "example.org" for "example.org:80", and "2001:db8::1" for "[2001:db8::1]:80".
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    host.remove_prefix(1);
    return host.substr(0, host.find(']'));
  }
  return host.substr(0, host.find(':'));
}

bool is_host_field(std::string_view line) {
  return line.size() >= kHost.size() && std::ranges::equal(line.substr(0, kHost.size()), kHost, {}, lower);
}

}  // namespace

AskedName find_server_name(Bytes received) {
  const Bytes seen = received.first(std::min(received.size(), kMaxHelloRecords));
  ByteReader reader(seen);
  HelloRecords records;
  while (records.take(reader)) {
  }
  if (records.is_malformed()) return without_name(AskedName::Kind::malformed);
  if (records.is_whole()) return read_hello(records.body());
  const std::size_t needed = seen.size() + records.missing();
  return needed <= kMaxHelloRecords ? incomplete(needed) : without_name(AskedName::Kind::malformed);
}

AskedName find_host(Bytes received) {
  std::string_view rest = as_text(received.first(std::min(received.size(), kMaxHostSearch)));
  bool is_first = true;
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (std::exchange(is_first, false)) continue;  // the request line
    if (trimmed(line).empty()) return without_name(AskedName::Kind::absent);
    if (is_host_field(line)) return named(without_port(trimmed(line.substr(kHost.size()))));
  }
  return received.size() < kMaxHostSearch ? incomplete(received.size() + 1)
                                          : without_name(AskedName::Kind::absent);
}

bool asks_for_acme_challenge(Bytes received) {
  static constexpr std::string_view kBeginning = "GET /.well-known/acme-challenge/";
  return received.size() >= kBeginning.size() &&
         std::ranges::equal(received.first(kBeginning.size()), as_bytes(kBeginning));
}

}  // namespace turnpike::net
