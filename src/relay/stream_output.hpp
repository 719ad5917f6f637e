// What a pass has to send on connections. The messages for one connection are kept together, so that they are
// sent with one call at the end of the pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "net/stream.hpp"

namespace turnpike::relay {

// A connection has one of these; StreamOutput uses it.
class WaitingOutput {
 private:
  template <class Connection>
  friend class StreamOutput;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::uint32_t first_ = kNone;
  std::uint32_t last_ = kNone;
};

// `Connection` has a member `output` of type WaitingOutput.
template <class Connection>
class StreamOutput {
 public:
  // The connection must stay until send_all().
  void add(Connection& connection, const net::StreamMessage& message) {
    WaitingOutput& output = connection.output;
    const auto index = static_cast<std::uint32_t>(messages_.size());
    messages_.push_back({message, WaitingOutput::kNone});
    if (output.first_ == WaitingOutput::kNone) {
      connections_.push_back(&connection);
      output.first_ = index;
    } else {
      messages_[output.last_].next = index;
    }
    output.last_ = index;
  }

  // Calls `send(connection, collect)` for each connection. collect() returns its messages, which stay valid
  // until the next call. It throws std::bad_alloc when there is no memory, and `send` has to catch that.
  template <class Send>
  void send_all(Send&& send) {
    for (Connection* connection : connections_) {
      send(*connection, [&] { return collect(connection->output); });
      connection->output = {};
    }
    connections_.clear();
    messages_.clear();
  }

 private:
  struct Message {
    net::StreamMessage message;
    std::uint32_t next = WaitingOutput::kNone;
  };

  std::span<const net::StreamMessage> collect(const WaitingOutput& output) {
    together_.clear();
    for (std::uint32_t i = output.first_; i != WaitingOutput::kNone; i = messages_[i].next) {
      together_.push_back(messages_[i].message);
    }
    return together_;
  }

  std::vector<Message> messages_;
  std::vector<Connection*> connections_;
  std::vector<net::StreamMessage> together_;
};

}  // namespace turnpike::relay
