// A connection of a client by TCP or TLS. Plain data: Streams owns the connections, in a ClientBook.
#pragma once

#include <memory>
#include <utility>

#include "net/fd.hpp"
#include "net/stream.hpp"
#include "relay/client_book.hpp"
#include "relay/protocol_detector.hpp"
#include "relay/stream_listeners.hpp"
#include "relay/stream_output.hpp"

namespace turnpike::relay {

struct StreamConnection : ClientConnection {
  explicit StreamConnection(net::Fd fd) : stream(std::move(fd), nullptr) {}

  net::Stream stream;
  std::unique_ptr<ProtocolDetector> detector;  // null when the protocol is known
  const StreamListener* listener = nullptr;
  bool was_established = false;
  bool watches_output = false;  // only StreamSets changes this one and the next
  bool in_handshake = false;
  WaitingOutput output;  // of this pass
};

}  // namespace turnpike::relay
