#include "relay/stream_start.hpp"

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "turnpike/base/bytes.hpp"

namespace turnpike::relay {
namespace {

// The answer to an HTTP client on a listener that detects protocols, when no signaling is configured.
std::string no_page() {
  constexpr std::string_view kBody = "404 Not Found: STUN and TURN are served here, and there is no page\n";
  return std::string(
             "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n")
      .append("Cache-Control: no-store\r\nContent-Length: ")
      .append(std::to_string(kBody.size()))
      .append("\r\n\r\n")
      .append(kBody);
}

}  // namespace

bool StreamStart::admit(const IpAddress& client) {
  if (!turn::admits(clients_, client)) {
    ++parts_.counters.denied;
    return false;
  }
  const bool has_place = shared_.idle.take(client, turn::is_exempt(clients_, client));
  if (!has_place) ++parts_.counters.refused;
  return has_place;
}

void StreamStart::prepare(StreamConnection& connection, const StreamListener& listener,
                          const FiveTuple& tuple) const {
  connection.listener = &listener;
  connection.is_counted = listener.balancers.empty();
  connection.tuple = tuple;
  if (!connection.is_counted || !listener.transport) {
    connection.detector = std::make_unique<ProtocolDetector>(!connection.is_counted, listener.transport,
                                                             listener.web ? &shared_.is_ours : nullptr);
  }
}

bool StreamStart::detect_protocol(StreamConnection& connection, bool at_end, TimePoint now) {
  const ProtocolDetector::Verdict verdict = connection.detector->read(connection.stream.fd(), at_end);
  if (verdict == ProtocolDetector::Verdict::wait) return false;
  if (const auto& client = connection.detector->client()) connection.tuple.client = *client;
  connection.detector.reset();
  if (verdict == ProtocolDetector::Verdict::broken) {
    parts_.book.end(connection);
    return false;
  }
  if (!connection.is_counted) connection.is_counted = admit(connection.tuple.client.address);
  if (!connection.is_counted) {
    parts_.book.end(connection);
    return false;
  }
  if (verdict == ProtocolDetector::Verdict::http) {
    hand_over_http(connection);
    return false;
  }
  if (verdict == ProtocolDetector::Verdict::web) {
    hand_over_to_web(connection);
    return false;
  }
  if (verdict == ProtocolDetector::Verdict::turn) return true;
  // From now on, the connection waits in the set of handshakes.
  if (!start_tls(connection, now)) parts_.book.end(connection);
  return false;
}

// A handshake costs a signature for any client, so each source may begin only so many in a second.
bool StreamStart::start_tls(StreamConnection& connection, TimePoint now) {
  if (!shared_.tls) return false;
  const IpAddress& client = connection.tuple.client.address;
  if (!turn::is_exempt(clients_, client) && !shared_.handshakes.take(client, now.steady)) {
    ++parts_.counters.handshakes_withheld;
    return false;
  }
  connection.tuple.transport = Transport::tls;
  const net::TlsUse use = connection.listener->transport ? net::TlsUse::turn : net::TlsUse::any_of_them;
  try {
    connection.stream.start_tls(*shared_.tls->get(), use);
  } catch (const std::bad_alloc&) {
    ++parts_.counters.out_of_memory;
    return false;
  }
  ++parts_.counters.handshakes_begun;
  connection.was_established = false;
  return parts_.sets.move_to_handshakes(connection, true);
}

void StreamStart::hand_over_http(StreamConnection& connection) {
  net::Stream& stream = connection.stream;
  parts_.book.end(connection);
  if (!shared_.http) return stream.answer_and_close(as_bytes(no_page()), parts_.buffers);
  if (stream.has_waiting() || !parts_.sets.remove(connection)) return;
  net::Stream::Released released = stream.release();
  const bool secure = released.tls != nullptr;
  shared_.http(std::move(released.fd),
               {.peer = connection.tuple.client.address,
                .secure = secure,
                .tls = std::move(released.tls),
                .received = std::move(released.received),
                .to_https = secure ? net::ToHttps::no : connection.listener->to_https});
}

// As above, the connection ends, and the web thread continues to serve the client.
void StreamStart::hand_over_to_web(StreamConnection& connection) {
  parts_.book.end(connection);
  if (!parts_.sets.remove(connection)) return;
  const IpAddress& client = connection.tuple.client.address;
  shared_.web(connection.stream.release().fd, {.client = connection.tuple.client,
                                               .server = connection.tuple.server,
                                               .web = *connection.listener->web,
                                               .is_exempt = turn::is_exempt(clients_, client)});
}

}  // namespace turnpike::relay
