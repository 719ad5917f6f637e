#include "stunclient/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <stdexcept>

#include "client/command_line.hpp"
#include "stunclient/server_uri.hpp"
#include "turnpike/crypto/digest.hpp"

namespace turnpike::stunclient {
namespace {

constexpr double kDefaultTimeout = 10;
// The clocks of this machine and of the server must agree for this time only, and may differ by hours.
constexpr std::chrono::hours kRestLifetime{24};

constexpr const char* kDescription =
    "Asks a STUN server for this machine's public address and, with --turn, relays a datagram to itself "
    "through a TURN server and back. The exit code is 0 only when every requested test succeeded.";
constexpr const char* kFooter =
    "Other users of this machine can read a command line. The environment variables STUNCLIENT_PASSWORD and "
    "STUNCLIENT_SECRET can replace --password and --secret.";

// The texts from CLI11, which are converted to Options afterwards.
struct Text {
  std::string host;
  std::uint16_t port = 0;
  std::string mode = "basic";
  std::string protocol;
  std::string family;
  std::string user;
  std::string password;
  std::string secret;
  double timeout = kDefaultTimeout;
};

void add_server_options(CLI::App& app, Options& options, Text& text) {
  app.add_option("HOST", text.host, "Name, address, or a stun:, stuns:, turn: or turns: URI")->required();
  app.add_option(
         "PORT", text.port,
         "Its port (default: the URI's, or what DNS says of a domain, or 3478; for TLS and DTLS 5349)")
      ->check(CLI::Range(1, 65535));
  app.add_option("--mode", text.mode,
                 "full also tests the mapping and filtering behavior of the NAT (RFC 5780)")
      ->check(CLI::IsMember({"basic", "full"}))
      ->capture_default_str();
  app.add_option("--protocol", text.protocol, "Transport to the server (default: the URI's, or udp)")
      ->check(CLI::IsMember({"udp", "tcp", "tls", "dtls"}));
  app.add_option("--family", text.family, "4 uses IPv4 only, 6 uses IPv6 only")
      ->check(CLI::IsMember({"4", "6"}));
  app.add_option("--localaddr", options.local_address, "Address to send from");
  app.add_option("--localport", options.local_port, "Port to send from")->check(CLI::Range(0, 65535));
  app.add_option("--timeout", text.timeout, "How many seconds to repeat each request and wait for its answer")
      ->check(CLI::Range(0.01, 600.0))
      ->capture_default_str();
}

void add_output_options(CLI::App& app, Options& options) {
  app.add_flag("--json", options.json, "Print one JSON object");
  app.add_option("--verbosity", options.verbosity,
                 "1 prints the messages on stderr, 2 prints their attributes too")
      ->check(CLI::Range(0, 9))
      ->capture_default_str();
}

void add_turn_options(CLI::App& app, Options& options, Text& text) {
  CLI::Option* turn = app.add_flag(
      "--turn", options.turn, "Allocate a relayed address, and relay a datagram to this machine and back");
  app.add_option("--user", text.user, "User name")->needs(turn);
  CLI::Option* password = app.add_option("--password", text.password, "The user's password")->needs(turn);
  app.add_option("--secret", text.secret,
                 "TURN REST secret from which the user name and the password are made")
      ->needs(turn)
      ->excludes(password);
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::optional<client::Credentials> make_credentials(Text text) {
  if (text.password.empty() && text.secret.empty()) {
    text.password = from_environment("STUNCLIENT_PASSWORD");
    text.secret = from_environment("STUNCLIENT_SECRET");
  }
  if (!text.secret.empty()) {
    crypto::Digester digester;
    const auto expires = std::chrono::system_clock::now().time_since_epoch() + kRestLifetime;
    return client::rest_credentials(digester, text.secret, text.user,
                                    WallTime(std::chrono::duration_cast<Duration>(expires)));
  }
  if (text.user.empty() && text.password.empty()) return std::nullopt;
  if (text.user.empty()) throw std::invalid_argument("--password without --user");
  if (text.password.empty()) throw std::invalid_argument("--user without --password or --secret");
  return client::Credentials{text.user, text.password};
}

Transport parse_transport(const std::string& name) {
  if (name == "tcp") return Transport::tcp;
  if (name == "tls") return Transport::tls;
  if (name == "dtls") return Transport::dtls;
  return Transport::udp;
}

const char* display_name(Transport transport) {
  switch (transport) {
    case Transport::udp: return "UDP";
    case Transport::tcp: return "TCP";
    case Transport::tls: return "TLS";
    case Transport::dtls: return "DTLS";
  }
  return "";
}

// Returns nothing when neither the options nor the URI name a transport.
std::optional<Transport> choose_transport(const Text& text, const ServerName& uri) {
  std::optional<Transport> transport = uri.transport;
  if (!text.protocol.empty()) {
    const Transport asked = parse_transport(text.protocol);
    if (uri.transport && *uri.transport != asked)
      throw std::invalid_argument("the URI says " + std::string(display_name(*uri.transport)) +
                                  ", --protocol " + text.protocol);
    transport = asked;
  }
  return transport;
}

ServerName choose_server(const Text& text, bool turn) {
  ServerName server = parse_server(text.host);
  server.transport = choose_transport(text, server);
  if (text.port != 0 && server.port && *server.port != text.port)
    throw std::invalid_argument("HOST names port " + std::to_string(*server.port) + ", PORT is " +
                                std::to_string(text.port));
  if (text.port != 0) server.port = text.port;
  if (turn) {
    server.service = Service::turn;
  } else if (text.mode == "full" && server.service == Service::stun) {
    server.service = Service::stun_behavior;
  }
  return server;
}

void finish(Options& options, const Text& text) {
  options.server = choose_server(text, options.turn);
  if (!text.family.empty()) options.family = text.family == "4" ? Family::ipv4 : Family::ipv6;
  options.nat = text.mode == "full";
  if (options.turn) options.credentials = make_credentials(text);
  options.timeout =
      std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(text.timeout));
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  Text text;
  CLI::App app(kDescription, "stunclient");
  app.footer(kFooter);
  add_server_options(app, options, text);
  add_output_options(app, options);
  add_turn_options(app, options, text);
  app.set_version_flag("--version", "stunclient " TURNPIKE_VERSION);
  client::parse_or_exit(app, argc, argv, kUsageError);
  finish(options, text);
  return options;
}

}  // namespace turnpike::stunclient
