#include "relay/protocol_detector.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/proxy_header.hpp"
#include "net/server_name.hpp"
#include "net/tls_wire.hpp"

namespace turnpike::relay {
namespace {

constexpr std::uint8_t kLastOfStun = 0x3F;  // RFC 8489 §5: the first two bits are zero

ssize_t peek(int fd, MutableBytes to) { return recv(fd, to.data(), to.size(), MSG_PEEK | MSG_DONTWAIT); }

bool skip(int fd, std::size_t size) {
  std::uint8_t skipped[net::kMaxProxyHeaderSize];
  return recv(fd, skipped, size, MSG_DONTWAIT) == static_cast<ssize_t>(size);
}

ProtocolDetector::Verdict nothing(ssize_t got) {
  const bool passing = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return passing ? ProtocolDetector::Verdict::wait : ProtocolDetector::Verdict::broken;
}

ProtocolDetector::Verdict told_apart(std::uint8_t first) {
  if (first == net::kHandshake) return ProtocolDetector::Verdict::tls;  // no STUN message begins with it
  if (first <= kLastOfStun) return ProtocolDetector::Verdict::turn;
  return begins_http(first) ? ProtocolDetector::Verdict::http : ProtocolDetector::Verdict::broken;
}

// Makes the socket readable only when it holds this many octets, or when nothing more will follow.
bool set_low_water(int fd, std::size_t octets) {
  const int value = static_cast<int>(octets);
  return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value) == 0;
}

// Returns whether we serve a client that asks for no name. By TLS we do, since clients of TURN may know only
// an address. A plain HTTP request without a Host field does not come from a browser that wants our page.
bool stays_without_name(ProtocolDetector::Verdict protocol) {
  return protocol == ProtocolDetector::Verdict::tls;
}

}  // namespace

ProtocolDetector::Verdict ProtocolDetector::read(int fd, bool at_end) {
  if (has_header_) {
    const Verdict verdict = read_header(fd);
    if (has_header_) return verdict;
  }
  if (known_) return known_ == Transport::tls ? Verdict::tls : Verdict::turn;
  std::uint8_t first = 0;
  const ssize_t got = peek(fd, {&first, 1});
  if (got != 1) return nothing(got);
  const Verdict protocol = told_apart(first);
  const bool has_name = protocol == Verdict::tls || protocol == Verdict::http;
  if (!is_ours_ || !has_name) return protocol;
  const Verdict verdict = read_name(fd, protocol, at_end);
  if (verdict != Verdict::wait && seen_ > 0 && !set_low_water(fd, 1)) return Verdict::broken;
  return verdict;
}

// The octets are only peeked at, so that the code that serves the connection reads it from its beginning.
ProtocolDetector::Verdict ProtocolDetector::read_name(int fd, Verdict protocol, bool at_end) {
  std::array<std::uint8_t, net::kMaxHelloRecords> room;
  static_assert(room.size() >= net::kMaxHostSearch);
  const ssize_t got = peek(fd, room);
  if (got <= 0) return nothing(got);
  const Bytes received = Bytes(room).first(static_cast<std::size_t>(got));
  const net::AskedName asked =
      protocol == Verdict::tls ? net::find_server_name(received) : net::find_host(received);
  const bool has_more = received.size() > seen_;
  seen_ = received.size();
  using Kind = net::AskedName::Kind;
  if (asked.kind == Kind::incomplete && (has_more || at_end)) return wait_for(fd, asked.needed, at_end);
  // When no more has arrived, the kernel's buffer is full, and waiting would wake the worker again and again.
  // So the connection is handled as if it asked for no name, and its octets are read from the socket.
  const bool is_named = asked.kind == Kind::named && !asked.name.empty();
  // The web server has the ACME client for our own names too, since no other program can listen on this port.
  if (protocol == Verdict::http && net::asks_for_acme_challenge(received)) return Verdict::web;
  const bool stays = is_named ? (*is_ours_)(asked.name) : stays_without_name(protocol);
  return stays ? protocol : Verdict::web;
}

ProtocolDetector::Verdict ProtocolDetector::wait_for(int fd, std::size_t octets, bool at_end) {
  return !at_end && set_low_water(fd, octets) ? Verdict::wait : Verdict::broken;
}

// Unlike a name, the header is taken from the socket, but not what follows it. A part that stayed in the
// socket would be reported again and again.
ProtocolDetector::Verdict ProtocolDetector::read_header(int fd) {
  const std::size_t before = header_.size();
  header_.resize(net::kMaxProxyHeaderSize);
  const ssize_t got = peek(fd, MutableBytes(header_).subspan(before));
  if (got <= 0) {
    header_.resize(before);
    return nothing(got);
  }
  header_.resize(before + static_cast<std::size_t>(got));
  const net::ProxyHeader header = net::parse_proxy_header(header_);
  switch (header.kind) {
    case net::ProxyHeader::Kind::invalid: return Verdict::broken;
    case net::ProxyHeader::Kind::incomplete:
      return skip(fd, static_cast<std::size_t>(got)) ? Verdict::wait : Verdict::broken;
    case net::ProxyHeader::Kind::proxied: client_ = header.client; break;
    case net::ProxyHeader::Kind::local: break;
  }
  if (!skip(fd, header.size - before)) return Verdict::broken;
  has_header_ = false;
  return Verdict::wait;
}

}  // namespace turnpike::relay
