#include "relay/protocol_detector.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "net/proxy_header.hpp"

namespace turnpike::relay {
namespace {

constexpr std::uint8_t kTlsHandshake = 0x16;  // RFC 8446 §5.1; no STUN method begins so
constexpr std::uint8_t kLastOfStun = 0x3F;    // RFC 8489 §5: the first two bits are zero

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
  if (first == kTlsHandshake) return ProtocolDetector::Verdict::tls;
  if (first <= kLastOfStun) return ProtocolDetector::Verdict::turn;
  return begins_http(first) ? ProtocolDetector::Verdict::http : ProtocolDetector::Verdict::broken;
}

}  // namespace

ProtocolDetector::Verdict ProtocolDetector::read(int fd) {
  if (has_header_) {
    const Verdict verdict = read_header(fd);
    if (has_header_) return verdict;
  }
  if (known_) return known_ == Transport::tls ? Verdict::tls : Verdict::turn;
  std::uint8_t first = 0;
  const ssize_t got = peek(fd, {&first, 1});
  return got == 1 ? told_apart(first) : nothing(got);
}

// What is looked at is taken as well, but for what stands behind the header: left where it is, it would be
// reported again and again.
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
