// What the server wants done: datagrams to send and events to tell. The shell carries it out and clears it;
// buffers keep their capacity, so a busy worker allocates nothing here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/stun/types.hpp"
#include "turnpike/turn/params.hpp"
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
    enum class Kind : std::uint8_t {
      allocation_created,
      allocation_moved,
      allocation_deleted,
      request_refused
    };
    Kind kind{};
    FiveTuple tuple{};
    std::string username{};
    Endpoint relayed{};               // but for refused: the first relayed address
    FiveTuple former{};               // moved: where it was
    stun::Method method{};            // refused
    stun::ErrorCode error{};          // refused
    bool answered = true;             // refused: else the source has had all its answers to wrong credentials
    std::optional<Prefix> network{};  // refused: of this machine, and the peer that was asked for is in it
    bool was_too_old = false;         // deleted: it had reached limits.allocation_age
  };

  // RFC 8016: a message for the worker that has the client's allocation, and from now on all that comes from
  // this 5-tuple, until that worker has no more to do with it.
  struct Forward {
    std::uint16_t worker = 0;
    FiveTuple tuple;
    Bytes message;
  };

  // Limits that somebody has met, one bit for each LimitKey.
  std::uint32_t limits_met() const { return limits_met_; }
  const std::vector<Forward>& forwards() const { return forwards_; }
  // 5-tuples that the server has no more to do with: their allocation was deleted, or has moved.
  const std::vector<FiveTuple>& left() const { return left_; }
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

  void forward(std::uint16_t worker, const FiveTuple& tuple, Bytes message) {
    forwards_.push_back({worker, tuple, message});
  }
  void leave(const FiveTuple& tuple) { left_.push_back(tuple); }

  void meet(LimitKey limit) { limits_met_ |= std::uint32_t{1} << static_cast<unsigned>(limit); }

  // Room for so many messages and for the heads of as many, so that answers need no memory where there is
  // none.
  void reserve(std::size_t messages) {
    to_clients_.reserve(messages);
    to_peers_.reserve(messages);
    heads_.reserve(messages * kUsualHead);
    reserve_for_news();
  }

  // So that the next tell() and the next two leave() cannot fail for want of memory: what they tell of has
  // happened.
  void reserve_for_news() {
    if (events_.size() == events_.capacity()) events_.reserve(2 * events_.size() + 8);
    if (left_.size() + 2 > left_.capacity()) left_.reserve(2 * left_.size() + 8);
  }

  void tell(Event event) { events_.push_back(std::move(event)); }

  // What goes to peers was carried out ahead of the rest.
  void clear_to_peers() { to_peers_.clear(); }
  void clear_forwards() { forwards_.clear(); }

  void clear() {
    to_clients_.clear();
    to_peers_.clear();
    events_.clear();
    forwards_.clear();
    left_.clear();
    heads_.clear();
    limits_met_ = 0;
  }

 private:
  static constexpr std::size_t kUsualHead = 256;

  std::vector<ToClient> to_clients_;
  std::vector<ToPeer> to_peers_;
  std::vector<Event> events_;
  std::vector<Forward> forwards_;
  std::vector<FiveTuple> left_;
  std::vector<std::uint8_t> heads_;
  std::uint32_t limits_met_ = 0;
};

}  // namespace turnpike::turn
