// The first words of a DTLS client (RFC 6347 §4.2.1): its ClientHello and the HelloVerifyRequest that asks
// whether it is where it says it is. Nothing here remembers a client: its cookie says all there is to know.
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

// A piece of a handshake message, as one comes in clear text (RFC 6347 §4.2.2). Views what it was read from.
struct DtlsFragment {
  std::uint8_t type = 0;
  std::uint32_t message_size = 0;
  std::uint16_t message_number = 0;
  std::uint32_t at = 0;  // where in the message
  Bytes bytes;

  // The next one of a record. Without one the reader fails.
  static DtlsFragment read(ByteReader& reader);
  bool fits() const { return at <= message_size && bytes.size() <= message_size - at; }
};

// Views the datagram.
struct DtlsHello {
  Bytes record_number;               // 8 octets, epoch 0
  std::uint16_t message_number = 0;  // of the handshake's messages: 0 in a first hello, and 1 with the cookie
  Bytes random;                      // 32 octets: the name of this handshake
  Bytes cookie;                      // empty in a first hello
};

// Whether a datagram is DTLS, where STUN and ChannelData come to the same socket (RFC 7983 §7).
inline bool is_dtls(Bytes datagram) { return !datagram.empty() && datagram[0] >= 20 && datagram[0] <= 63; }

// The ClientHello that a datagram begins with, or as much of one as its first fragment has up to the cookie.
std::optional<DtlsHello> parse_dtls_hello(Bytes datagram);

// Belongs to one thread.
class DtlsCookies {
 public:
  using Cookie = std::array<std::uint8_t, 20>;

  // A cookie is good for this long at least, and for twice as long at most.
  static constexpr Duration kPeriod = std::chrono::seconds(30);

  // Both outlive this.
  DtlsCookies(crypto::Digester& digester, crypto::Random& random) : digester_(digester), random_(random) {}

  // Of the client's address, the server's and the hello's random, as the RFC advises.
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

// Shorter than any hello, so whoever is answered in another's name gets less than was sent.
inline constexpr std::size_t kHelloVerifySize = 28 + std::tuple_size_v<DtlsCookies::Cookie>;
std::array<std::uint8_t, kHelloVerifySize> make_hello_verify(const DtlsHello& hello,
                                                             const DtlsCookies::Cookie& cookie);

}  // namespace turnpike::net
