// What turnbench is asked to do, as its command line says it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/turn_client.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::bench {

enum class Direction : std::uint8_t { up, down, both };  // up: client → peer
enum class Mode : std::uint8_t { channel, send };        // ChannelData, or Send and Data indications
enum class Task : std::uint8_t { relay, allocations, cycles };

struct Options {
  Endpoint server;
  Transport transport = Transport::udp;  // to the server
  std::optional<client::Credentials> credentials;
  IpAddress peer_address;
  std::vector<pid_t> server_pids;
  bool json = false;

  Task task = Task::relay;
  std::uint32_t count = 0;         // allocations: how many
  std::uint32_t concurrency = 32;  // cycles: how many at a time

  // relay
  std::uint32_t clients = 50;
  std::uint32_t size = 160;  // payload bytes, without any TURN framing
  Direction direction = Direction::both;
  Mode mode = Mode::channel;
  std::optional<double> rate;  // datagrams a second over all clients; absent: saturate
  std::uint32_t window = 128;  // saturate: datagrams under way at most, over all clients
  std::uint32_t burst = 1;     // datagrams of one flow in a row
  bool coalesce = false;       // a burst leaves and arrives as one, by UDP_SEGMENT and UDP_GRO
  bool direct = false;         // no server: from client to peer
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds duration{10000};  // of the measured time; for cycles too
};

// Prints help or an error and exits where the command line asks for that.
Options parse_options(int argc, char** argv);

}  // namespace turnpike::bench
