// What the server wants done: datagrams to send and events to tell. The shell carries it out and clears it;
// buffers keep their capacity, so a busy worker allocates nothing here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/types.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// Payloads view the buffers that were handed to the server: carry the output out before they are used again.
class Output {
 public:
  // head(), the payload and `padding` zero bytes make one message.
  struct ToClient {
    FiveTuple tuple;
    std::uint32_t head_at = 0;
    std::uint32_t head_size = 0;
    Bytes payload;
    std::uint8_t padding = 0;
  };

  struct ToPeer {
    RelayId relay{};
    Endpoint peer;  // local form
    Bytes payload;
    bool dont_fragment = false;
  };

  // For the log. Texts come from strangers: whoever prints them escapes them.
  struct Event {
    enum class Kind : std::uint8_t { allocation_created, allocation_deleted, request_refused };
    Kind kind{};
    FiveTuple tuple;
    std::string username;
    Endpoint relayed;         // created, deleted: the first relayed address
    stun::Method method{};    // refused
    stun::ErrorCode error{};  // refused
  };

  const std::vector<ToClient>& to_clients() const { return to_clients_; }
  const std::vector<ToPeer>& to_peers() const { return to_peers_; }
  const std::vector<Event>& events() const { return events_; }
  Bytes head(const ToClient& message) const {
    return Bytes(heads_).subspan(message.head_at, message.head_size);
  }

  void send_to_peer(RelayId relay, const Endpoint& peer, Bytes payload, bool dont_fragment) {
    to_peers_.push_back({relay, peer, payload, dont_fragment});
  }

  // Copies `head`, which is small; views `payload`.
  void send_to_client(const FiveTuple& tuple, Bytes head, Bytes payload = {}, std::uint8_t padding = 0) {
    const auto at = static_cast<std::uint32_t>(heads_.size());
    heads_.insert(heads_.end(), head.begin(), head.end());
    to_clients_.push_back({tuple, at, static_cast<std::uint32_t>(head.size()), payload, padding});
  }

  void tell(Event event) { events_.push_back(std::move(event)); }

  // What goes to peers was carried out ahead of the rest.
  void clear_to_peers() { to_peers_.clear(); }

  void clear() {
    to_clients_.clear();
    to_peers_.clear();
    events_.clear();
    heads_.clear();
  }

 private:
  std::vector<ToClient> to_clients_;
  std::vector<ToPeer> to_peers_;
  std::vector<Event> events_;
  std::vector<std::uint8_t> heads_;
};

}  // namespace turnpike::turn
