// Checks that hold for a client and a server over any transport.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/relay_client.hpp"

namespace turnpike::test {

// A Binding request without state in a client.
inline Octets binding_request() {
  Octets bytes{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42};
  bytes.resize(20, 7);
  return bytes;
}

bool is_answered(auto& socket) {
  socket.send(binding_request());
  const auto answer = socket.receive(std::chrono::seconds(10));
  return answer && answer->bytes.size() >= 20 && answer->bytes[0] == 1 && answer->bytes[1] == 1;
}

bool is_closed(auto& socket) {
  while (socket.receive(std::chrono::seconds(10))) {
  }
  return socket.closed();
}

// Creates a permission for the peer and expects a datagram in each direction, in indications.
inline void expect_indications(RelayClient& client, client::UdpSocket& peer) {
  REQUIRE(client.permit(peer.local()) == 0);
  client.send(peer.local(), octets("out"));
  const auto datagram = peer.receive(std::chrono::seconds(10));
  REQUIRE(datagram);
  CHECK((datagram->bytes == octets("out")));
  peer.send_to(octets("in"), datagram->from);
  const auto arrival = client.receive();
  REQUIRE(arrival);
  CHECK(arrival->text() == "in");
  CHECK(arrival->peer == peer.local());
}

// Expects payloads of these sizes in each direction, over a channel that is bound.
inline void expect_relaying(RelayClient& client, client::UdpSocket& peer, std::uint16_t channel,
                            std::span<const std::size_t> sizes) {
  for (const std::size_t size : sizes) {
    INFO(size << " bytes");
    const Octets payload(size, static_cast<std::uint8_t>(size));
    client.send_on_channel(channel, payload);
    const auto datagram = peer.receive(std::chrono::seconds(10));
    REQUIRE(datagram);
    CHECK(datagram->from == client.relayed());
    CHECK((datagram->bytes == payload));
    peer.send_to(payload, client.relayed());
    const auto arrival = client.receive();
    REQUIRE(arrival);
    CHECK((arrival->payload == payload));
    CHECK(arrival->channel.has_value());
  }
}

// Relays between two clients, which have no allocations yet, over the relayed addresses of both.
inline void expect_conversation(RelayClient& ann, RelayClient& ben) {
  REQUIRE(ann.allocate() == 0);
  REQUIRE(ben.allocate() == 0);
  REQUIRE(ann.permit(ben.relayed()) == 0);
  REQUIRE(ben.bind(0x4003, ann.relayed()) == 0);
  ann.send(ben.relayed(), octets("hello"));
  auto arrival = ben.receive();
  REQUIRE(arrival);
  CHECK(arrival->text() == "hello");
  ben.send_on_channel(0x4003, octets("hello yourself"));
  arrival = ann.receive();
  REQUIRE(arrival);
  CHECK(arrival->text() == "hello yourself");
}

// All clients have bound 0x4000 to the peer. Expects that each client gets the answers to its own data.
inline void expect_echoes(const std::vector<std::unique_ptr<RelayClient>>& clients, client::UdpSocket& peer) {
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i]->send_on_channel(0x4000, octets(std::to_string(i)));
    const auto datagram = peer.receive(std::chrono::seconds(10));
    REQUIRE(datagram);
    CHECK((datagram->bytes == octets(std::to_string(i))));
    peer.send_to(datagram->bytes, datagram->from);
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto arrival = clients[i]->receive();
    REQUIRE(arrival);
    CHECK(arrival->text() == std::to_string(i));
  }
}

}  // namespace turnpike::test
