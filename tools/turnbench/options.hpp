// The command line of turnbench as a structure.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "client/turn_client.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::bench {

enum class Direction : std::uint8_t { up, down, both };  // up: client → peer
enum class Mode : std::uint8_t { channel, send };        // ChannelData, or Send and Data indications
enum class Task : std::uint8_t { relay, allocations, cycles };

struct Options {
  Endpoint server;
  Transport transport = Transport::udp;  // between client and server
  std::optional<client::Credentials> credentials;
  IpAddress peer_address;
  std::vector<pid_t> server_pids;
  bool json = false;

  Task task = Task::relay;
  std::uint32_t count = 0;         // for allocations: their number
  std::uint32_t baseline = 1;      // for allocations: how many are there before memory is read first
  bool with_channels = false;      // for allocations: each gets a permission and a channel
  std::uint32_t concurrency = 32;  // for cycles: clients at the same time

  // relay
  std::uint32_t clients = 50;
  std::uint32_t size = 160;  // payload bytes, without any TURN framing
  Direction direction = Direction::both;
  Mode mode = Mode::channel;
  std::optional<double> rate;  // datagrams per second of all clients together; absent: saturate
  std::uint32_t window = 128;  // for saturate: maximum datagrams under way, of all clients together
  std::uint32_t burst = 1;     // consecutive datagrams of one flow
  bool coalesce = false;       // a burst is sent and received as one, by UDP_SEGMENT and UDP_GRO
  bool call = false;           // audio and video (call.hpp) instead of size, rate and burst
  bool direct = false;         // without a server: directly from client to peer
  // The peers are clients of the server too. Each knows the relayed address of the other.
  bool relay_to_relay = false;
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds duration{10000};  // measured time; also for cycles
};

// The payload sizes of the load: one, or that of each Media of a call.
std::vector<std::uint32_t> payload_sizes(const Options& options);

// Prints help or an error and ends the process when the command line asks for that or is wrong.
Options parse_options(int argc, char** argv);

}  // namespace turnpike::bench
