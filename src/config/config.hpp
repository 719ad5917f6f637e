// The configuration of the daemon: one YAML file and the command line's `--set`, checked as a whole and
// turned into each module's own Params. What cannot be honoured is an error; nothing is ignored.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/params.hpp"
#include "cluster/params.hpp"
#include "config/error.hpp"
#include "http/params.hpp"
#include "net/certificate.hpp"
#include "relay/stream_limits.hpp"
#include "relay/web_server.hpp"
#include "turnpike/auth/params.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/shown_address.hpp"
#include "turnpike/signaling/params.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::config {

// Where clients reach STUN and TURN.
struct Listener {
  Transport transport = Transport::udp;
  Endpoint endpoint;  // port 0 means any free port
  // auto://: each connection tells what it is, TURN by TCP or TLS, or HTTP. `transport` is tcp then.
  bool auto_detect = false;
  // By UDP and DTLS: the header of proxy_protocol is on the first of a client's datagrams alone, not on each.
  bool proxy_header_on_first_only = false;
  // Load balancers, whose connections and datagrams begin with a header of the PROXY protocol. Nobody else
  // may come then.
  std::vector<Prefix> proxy_protocol{};
  // Of auto://: where connections go that ask for other names than ours.
  std::optional<relay::WebServer> web{};
};

// "auto", or the transport's name.
std::string_view scheme_of(const Listener& listener);

std::vector<Listener> default_listeners();

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

// How the daemon ends.
struct ShutdownParams {
  Duration drain{};  // SIGTERM lets calls go on for so long before the process ends; 0: it ends at once
  Duration deadline = std::chrono::minutes(10);  // of a drain that names no deadline
};

struct LogParams {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  ShownAddresses addresses = ShownAddresses::full;
};

// RFC 5780. Each takes the first udp listener of its family for the primary, and the first tcp listener on
// the same address.
struct NatDiscoveryParams {
  std::vector<Endpoint> alternates;  // of each family at most one; port 0 means any free port
};

struct SignalingParams {
  bool enabled = false;             // by naming any key of the section
  std::vector<Endpoint> also_at{};  // listeners of STUN and TURN that let HTTP in as well
  std::vector<http::Listener> listen = {{false, {IpAddress::v4(0x7f000001), 8080}}};
  std::optional<signaling::Access> access;  // unset: see effective_access()
  std::vector<std::string> token_secrets;
  std::string public_host;
  std::string root;
  std::vector<std::string> cors;   // normalized
  std::vector<std::string> hosts;  // see http::Hosts
  std::vector<Prefix> trusted_proxies;
  Duration credential_lifetime = std::chrono::hours(1);
  Duration connect_timeout = std::chrono::seconds(45);
  std::uint32_t credentials_per_second = 10;
  signaling::Preset preset = signaling::Preset::course;
  Duration ping_interval = std::chrono::seconds(25);
  Duration ping_timeout = std::chrono::seconds(20);
  Duration recovery{};  // 0: off
  bool list_rooms = false;
  signaling::Limits limits;
  http::Limits http;

  // Nobody but this machine reaches it.
  bool only_loopback() const;
  // Unless it is written out: open where nobody but this machine can reach it, token elsewhere. A proxy in
  // front or a public host says that others can.
  signaling::Access effective_access() const;
};

// A default-constructed Config is what an empty file gives, but for auth.realm, which load() copies from
// `realm`.
struct Config {
  std::string realm = "turnpike";
  unsigned workers = 0;  // 0 = one for each core this process may use
  std::vector<Listener> listen = default_listeners();
  turn::RelayParams relay;
  auth::Params auth;
  turn::ClientParams clients;
  turn::PeerParams peers;
  turn::Limits limits;
  relay::StreamLimits streams;
  std::chrono::microseconds batching_delay{100};
  NatDiscoveryParams nat_discovery;
  net::TlsParams tls;
  SignalingParams signaling;
  LogParams log;
  admin::Params admin;
  ShutdownParams shutdown;
  cluster::Params cluster;

  // What is allowed and should not be: for the log, and for who asks with --check.
  std::vector<std::string> warnings;

  // Files that secrets were read from; see sources.hpp.
  std::vector<std::string> secret_files;

  // Each known key that the file or an override names, and what stands there, on one line. It tells what a
  // reload changes; secrets are among it, so it goes nowhere else.
  std::map<std::string, std::string> written;
};

// A key whose value is not the same in two configurations.
struct ChangedKey {
  std::string path;
  std::string change;  // "0 -> 10"; "changed" where the values are secret or long
  bool needs_restart = false;
};
std::vector<ChangedKey> find_changes(const Config& before, const Config& after);

// The alternate that goes with this one of config.listen; none for most.
std::optional<Endpoint> find_alternate(const Listener& listener, const Config& config);

// Reads `file`, puts the value of each override ("key.path=value", the value being YAML) in place of what the
// file says at that path, and checks the outcome. Gives every error it can find at once.
Result<Config, Errors> load(const std::string& file, const std::vector<std::string>& overrides = {});

// The same for a text in memory; `name` stands for the file in errors.
Result<Config, Errors> parse(std::string_view text, const std::string& name,
                             const std::vector<std::string>& overrides = {});

struct KnownKey {
  std::string_view path;           // "relay.ports"
  std::string_view default_value;  // as YAML: "49152-65535"
};

// Every key that takes a value in this build, in the order of conf/turnpike.yaml.
std::vector<KnownKey> known_keys();

}  // namespace turnpike::config
