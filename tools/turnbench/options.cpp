#include "turnbench/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <stdexcept>

#include "client/command_line.hpp"
#include "client/udp.hpp"
#include "turnbench/batches.hpp"
#include "turnbench/call.hpp"
#include "turnbench/stamp.hpp"

namespace turnpike::bench {
namespace {

constexpr std::uint32_t kMaxSize = 1400;
constexpr double kShortest = 0.001;  // seconds
constexpr double kLongest = 86400;
constexpr std::size_t kMaxPayload = 65507;  // maximum payload of a UDP datagram
constexpr const char* kDescription =
    "Puts load on a TURN server, and reports what it delivered and at what cost. Clients and peers are "
    "sockets of this "
    "process; one thread sends and receives their datagrams.\n"
    "--saturate keeps at most --window datagrams in flight, so that the server is always busy and never "
    "flooded; the result is what was delivered. With --rate and --call, datagrams are sent at fixed times, "
    "even if the server drops some of them.";

// The texts from CLI11, which are converted to Options afterwards.
struct Text {
  std::string server;
  std::string transport = "udp";
  std::string user;
  std::string password;
  std::string secret;
  std::string peer_address;
  std::string direction = "both";
  std::string mode = "channel";
  std::uint32_t allocations = 0;
  bool saturate = false;
  double rate = 0;
  double cycles = 0;
  double duration = 10;
  double warm_up = 0.5;
};

std::chrono::milliseconds to_milliseconds(double seconds) {
  return std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

Endpoint resolve_server(const std::string& text) {
  if (const auto endpoint = Endpoint::parse(text)) return *endpoint;
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 3478;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [parsed_to, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc{} || parsed_to != end) throw std::runtime_error("not HOST:PORT: " + text);
  }
  return client::resolve(text.substr(0, colon), port).front();
}

std::optional<client::Credentials> make_credentials(const Text& text) {
  if (!text.secret.empty()) {
    crypto::Digester digester;
    const auto wall = std::chrono::system_clock::now().time_since_epoch() + std::chrono::hours(24);
    return client::rest_credentials(digester, text.secret, text.user,
                                    WallTime(std::chrono::duration_cast<Duration>(wall)));
  }
  if (text.user.empty()) return std::nullopt;
  return client::Credentials{text.user, text.password};
}

// Returns an address on the route to the server, so that the server's relayed addresses can reach the peers.
IpAddress choose_peer_address(const std::string& text, const Endpoint& server) {
  if (!text.empty()) {
    const auto address = IpAddress::parse(text);
    if (!address) throw std::runtime_error("not an address: " + text);
    return *address;
  }
  if (server.address.is_loopback()) return server.address;
  const IpAddress any = server.address.is_v4() ? IpAddress() : *IpAddress::parse("::");
  client::UdpSocket probe(Endpoint{any, 0});
  probe.connect(server);
  return probe.local().address;
}

Transport parse_transport(std::string_view name) {
  for (const Transport transport : {Transport::tcp, Transport::tls, Transport::dtls}) {
    if (to_string(transport) == name) return transport;
  }
  return Transport::udp;
}

void add_common_options(CLI::App& app, Options& options, Text& text) {
  app.add_option("--server", text.server, "HOST:PORT of the TURN server")->required();
  app.add_option("--transport", text.transport, "Between clients and server")
      ->check(CLI::IsMember({"udp", "tcp", "tls", "dtls"}))
      ->capture_default_str();
  CLI::Option* user = app.add_option("--user", text.user, "User name; without one, requests are not signed");
  CLI::Option* password = app.add_option("--password", text.password, "The user's password")->needs(user);
  app.add_option("--secret", text.secret,
                 "TURN REST secret from which the user name and the password are made")
      ->excludes(password);
  app.add_option("--server-pid", options.server_pids,
                 "The process id of the server, whose CPU time and memory are measured");
  app.add_flag("--json", options.json, "Print JSON");
}

void add_relay_options(CLI::App& app, Options& options, Text& text) {
  app.add_option("--clients", options.clients, "The number of allocations that carry traffic")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--size", options.size, "Payload of a datagram in bytes")
      ->check(CLI::Range(static_cast<int>(kStampSize), static_cast<int>(kMaxSize)))
      ->capture_default_str();
  CLI::Option* rate =
      app.add_option("--rate", text.rate, "Datagrams a second over all clients, evenly spaced");
  rate->check(CLI::Range(1.0, 1e7));
  CLI::Option* saturate = app.add_flag("--saturate", text.saturate,
                                       "Send as many datagrams as the server can relay (the default)")
                              ->excludes(rate);
  app.add_option("--direction", text.direction, "up is from clients to peers, down the other way")
      ->check(CLI::IsMember({"up", "down", "both"}))
      ->capture_default_str();
  app.add_option("--mode", text.mode, "ChannelData, or Send and Data indications")
      ->check(CLI::IsMember({"channel", "send"}))
      ->capture_default_str();
  app.add_option("--duration", text.duration, "Seconds that are measured")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"ms", 1e-3}, {"m", 60}}))
      ->check(CLI::Range(kShortest, kLongest))
      ->capture_default_str();
  app.add_option("--warm-up", text.warm_up, "Seconds of the same load before the measurement begins")
      ->check(CLI::Range(0.0, kLongest))
      ->capture_default_str();
  app.add_option("--window", options.window,
                 "With --saturate: the maximum number of datagrams in flight, over all clients")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--burst", options.burst, "Datagrams of one flow in a row")
      ->check(CLI::Range(1, static_cast<int>(kMaxBurst)))
      ->capture_default_str();
  app.add_flag("--coalesce", options.coalesce,
               "The kernel sends and receives each burst as one (UDP_SEGMENT, UDP_GRO), as with the offloads "
               "of a network card");
  app.add_flag(
         "--call", options.call,
         "Each end sends audio (50 datagrams a second, 160 bytes) and video (25 frames a second, each a "
         "burst of 5 to 40 datagrams of 1,100 bytes); --size and --burst have no effect")
      ->excludes(rate)
      ->excludes(saturate);
  CLI::Option* direct = app.add_flag("--direct", options.direct,
                                     "Send from client to peer without the server, to measure the cost of "
                                     "the load itself; with --rate or --call");
  app.add_flag("--relay-to-relay", options.relay_to_relay,
               "Peers are clients of the server too, and each knows the other's relayed address")
      ->excludes(direct);
  app.add_option("--peer-address", text.peer_address,
                 "The address of the peers (default: the address of the clients)");
}

void add_other_tasks(CLI::App& app, Options& options, Text& text) {
  CLI::Option* allocations = app.add_option("--allocations", text.allocations,
                                            "Instead of traffic: make this many idle allocations, and "
                                            "measure the memory that each needs at --server-pid")
                                 ->check(CLI::Range(1, 1000000));
  app.add_option("--baseline", options.baseline,
                 "How many allocations are made before these and not measured")
      ->check(CLI::Range(1, 100000))
      ->needs(allocations)
      ->capture_default_str();
  app.add_flag("--with-channels", options.with_channels,
               "Give each of these allocations a permission and a channel")
      ->needs(allocations);
  app.add_option("--cycles", text.cycles,
                 "Instead of traffic: allocate and delete for this many seconds, each time from a new port")
      ->check(CLI::Range(kShortest, kLongest))
      ->excludes(allocations);
  app.add_option("--concurrency", options.concurrency, "How many cycles run at the same time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
}

void finish(Options& options, const Text& text) {
  options.server = resolve_server(text.server);
  options.transport = parse_transport(text.transport);
  if (options.transport != Transport::udp && (options.coalesce || options.direct || text.cycles > 0))
    throw std::runtime_error("--coalesce, --direct and --cycles are for UDP");
  if (options.direct && text.rate == 0 && !options.call)
    throw std::runtime_error("--direct needs --rate or --call");
  options.credentials = make_credentials(text);
  options.peer_address = choose_peer_address(text.peer_address, options.server);
  if (text.direction != "both") options.direction = text.direction == "up" ? Direction::up : Direction::down;
  options.mode = text.mode == "send" ? Mode::send : Mode::channel;
  if (text.rate > 0) options.rate = text.rate;
  options.duration = to_milliseconds(text.duration);
  options.warm_up = to_milliseconds(text.warm_up);
  if (options.coalesce && options.burst * (options.size + SendBatch::kMaxHeader) > kMaxPayload)
    throw std::runtime_error("--coalesce: a burst has more than 65507 bytes");
  options.window = std::max(options.window, options.burst);
  if (text.allocations > 0) {
    options.task = Task::allocations;
    options.count = text.allocations;
  } else if (text.cycles > 0) {
    options.task = Task::cycles;
    options.duration = to_milliseconds(text.cycles);
  }
}

}  // namespace

std::vector<std::uint32_t> payload_sizes(const Options& options) {
  if (options.call) return {kMediaSizes.begin(), kMediaSizes.end()};
  return {options.size};
}

Options parse_options(int argc, char** argv) {
  Options options;
  Text text;
  CLI::App app(kDescription, "turnbench");
  add_common_options(app, options, text);
  add_relay_options(app, options, text);
  add_other_tasks(app, options, text);
  app.set_version_flag("--version", "turnbench " TURNPIKE_VERSION);
  client::parse_or_exit(app, argc, argv, 1);
  finish(options, text);
  return options;
}

}  // namespace turnpike::bench
