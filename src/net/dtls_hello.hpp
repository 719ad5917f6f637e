// The beginning of a DTLS handshake (RFC 6347 §4.2.1): the ClientHello, and the HelloVerifyRequest that makes
// the client prove its address. Nothing is stored for a client: the cookie contains all that is needed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::net {

// A fragment of a handshake message in clear text (RFC 6347 §4.2.2). It views the record that was read.
struct DtlsFragment {
  std::uint8_t type = 0;
  std::uint32_t message_size = 0;
  std::uint16_t message_number = 0;
  std::uint32_t at = 0;  // offset in the message
  Bytes bytes;

  // Reads the next fragment of a record. Without a whole one, the reader fails.
  static DtlsFragment read(ByteReader& reader);
  bool fits() const { return at <= message_size && bytes.size() <= message_size - at; }
};

// The fields of a ClientHello. They view the datagram.
struct DtlsHello {
  Bytes record_number;               // 8 octets, epoch 0
  std::uint16_t message_number = 0;  // message_seq: 0 in a first hello, 1 in one with a cookie
  Bytes random;                      // 32 octets; identifies this handshake
  Bytes cookie;                      // empty in a first hello
};

// Whether a datagram is DTLS. STUN and ChannelData come to the same socket (RFC 7983 §7).
inline bool is_dtls(Bytes datagram) { return !datagram.empty() && datagram[0] >= 20 && datagram[0] <= 63; }

// Parses the ClientHello at the beginning of a datagram. Its first fragment is enough, if that has all up to
// the cookie.
std::optional<DtlsHello> parse_dtls_hello(Bytes datagram);

// Makes and checks cookies. Each object belongs to one thread.
class DtlsCookies {
 public:
  using Cookie = std::array<std::uint8_t, 20>;

  // A cookie is valid for at least this long, and for at most twice as long.
  static constexpr Duration kPeriod = std::chrono::seconds(30);

  // Both references must outlive this object.
  DtlsCookies(crypto::Digester& digester, crypto::Random& random) : digester_(digester), random_(random) {}

  // Makes a cookie from the addresses of client and server and the random of the hello, as RFC 6347 §4.2.1
  // recommends.
  Cookie make(const Endpoint& client, const Endpoint& server, const DtlsHello& hello, SteadyTime now);
  bool verify(const Endpoint& client, const Endpoint& server, const DtlsHello& hello, SteadyTime now);

 private:
  using Key = std::array<std::uint8_t, 32>;

  void rotate(SteadyTime now);
  Cookie sign(const Key& key, const Endpoint& client, const Endpoint& server, Bytes random);

  crypto::Digester& digester_;
  crypto::Random& random_;
  std::optional<Key> present_;
  std::optional<Key> previous_;
  SteadyTime rotated_{};
};

// The answer is shorter than any hello, so an attacker who forges a source address cannot use it for
// amplification.
inline constexpr std::size_t kHelloVerifySize = 28 + std::tuple_size_v<DtlsCookies::Cookie>;
std::array<std::uint8_t, kHelloVerifySize> make_hello_verify(const DtlsHello& hello,
                                                             const DtlsCookies::Cookie& cookie);

}  // namespace turnpike::net
