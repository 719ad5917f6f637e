#include "net/dtls_hello.hpp"

#include <algorithm>

#include "net/tls_wire.hpp"

namespace turnpike::net {
namespace {

constexpr std::size_t kRecordNumberSize = 8;

std::uint32_t read_u24(ByteReader& reader) {
  const Bytes bytes = reader.take(3);
  return bytes.empty() ? 0 : std::uint32_t{bytes[0]} << 16 | load_u16(&bytes[1]);
}

void write_u24(ByteWriter& writer, std::size_t value) {
  writer.u8(static_cast<std::uint8_t>(value >> 16));
  writer.u16(static_cast<std::uint16_t>(value));
}

std::optional<DtlsHello> parse_body(const DtlsFragment& fragment, Bytes record_number) {
  ByteReader body(fragment.bytes);
  DtlsHello hello;
  hello.record_number = record_number;
  hello.message_number = fragment.message_number;
  const bool is_dtls = body.u8() == kDtlsMajor;
  body.u8();
  hello.random = body.take(kRandomSize);
  body.take(body.u8());  // the session id
  hello.cookie = body.take(body.u8());
  if (!body.ok() || !is_dtls) return std::nullopt;
  return hello;
}

std::array<std::uint8_t, 20> flat(const Endpoint& endpoint) {
  std::array<std::uint8_t, 20> bytes{};
  std::ranges::copy(endpoint.address.storage(), bytes.begin());
  store_u16(&bytes[16], endpoint.port);
  bytes[18] = static_cast<std::uint8_t>(endpoint.family());
  return bytes;
}

}  // namespace

DtlsFragment DtlsFragment::read(ByteReader& reader) {
  DtlsFragment fragment;
  fragment.type = reader.u8();
  fragment.message_size = read_u24(reader);
  fragment.message_number = reader.u16();
  fragment.at = read_u24(reader);
  fragment.bytes = reader.take(read_u24(reader));
  return fragment;
}

// RFC 6347 §4.1 and §4.2.2. All other datagrams are ignored.
std::optional<DtlsHello> parse_dtls_hello(Bytes datagram) {
  ByteReader record(datagram);
  if (record.u8() != kHandshake || record.u8() != kDtlsMajor) return std::nullopt;
  record.u8();
  const Bytes number = record.take(kRecordNumberSize);
  ByteReader message(record.take(record.u16()));
  if (!record.ok() || load_u16(number.data()) != 0) return std::nullopt;

  const DtlsFragment fragment = DtlsFragment::read(message);
  const bool is_hello = fragment.type == kClientHello && fragment.at == 0 && fragment.fits();
  if (!message.ok() || !message.at_end() || !is_hello) return std::nullopt;
  return parse_body(fragment, number);
}

DtlsCookies::Cookie DtlsCookies::make(const Endpoint& client, const Endpoint& server, const DtlsHello& hello,
                                      SteadyTime now) {
  rotate(now);
  return sign(*present_, client, server, hello.random);
}

bool DtlsCookies::verify(const Endpoint& client, const Endpoint& server, const DtlsHello& hello,
                         SteadyTime now) {
  if (hello.cookie.size() != std::tuple_size_v<Cookie>) return false;
  rotate(now);
  const auto is_of = [&](const std::optional<Key>& key) {
    return key && crypto::equal_in_constant_time(sign(*key, client, server, hello.random), hello.cookie);
  };
  return is_of(present_) || is_of(previous_);
}

void DtlsCookies::rotate(SteadyTime now) {
  if (present_ && now - rotated_ < kPeriod) return;
  previous_.reset();
  if (present_ && now - rotated_ < 2 * kPeriod) previous_ = present_;
  random_.fill(present_.emplace());
  rotated_ = now;
}

DtlsCookies::Cookie DtlsCookies::sign(const Key& key, const Endpoint& client, const Endpoint& server,
                                      Bytes random) {
  const crypto::Sha256 hash = digester_.hmac_sha256(key, {flat(client), flat(server), random});
  Cookie cookie;
  std::copy_n(hash.begin(), cookie.size(), cookie.begin());
  return cookie;
}

std::array<std::uint8_t, kHelloVerifySize> make_hello_verify(const DtlsHello& hello,
                                                             const DtlsCookies::Cookie& cookie) {
  constexpr std::size_t kBody = 3 + std::tuple_size_v<DtlsCookies::Cookie>;
  constexpr std::size_t kMessageHeader = 12;
  std::array<std::uint8_t, kHelloVerifySize> datagram;
  ByteWriter writer(datagram);
  writer.u8(kHandshake);
  writer.u16(kDtls10);
  writer.bytes(hello.record_number);  // RFC 6347 §4.2.1: the number of the hello
  writer.u16(kMessageHeader + kBody);
  writer.u8(kHelloVerifyRequest);
  write_u24(writer, kBody);
  writer.u16(0);
  write_u24(writer, 0);
  write_u24(writer, kBody);
  writer.u16(kDtls10);
  writer.u8(static_cast<std::uint8_t>(cookie.size()));
  writer.bytes(cookie);
  return datagram;
}

}  // namespace turnpike::net
