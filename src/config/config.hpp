// The configuration of the daemon: one YAML file and the `--set` options of the command line, checked as a
// whole and converted to each module's own Params. A setting that cannot be applied is an error; nothing is
// ignored.
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
#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/params.hpp"
#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/shown_address.hpp"
#include "turnpike/signaling/params.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::config {

// An address where clients reach STUN and TURN.
struct Listener {
  Transport transport = Transport::udp;
  Endpoint endpoint;  // port 0 means any free port
  // For auto://. Each connection is recognised by its first octets as TURN over TCP or TLS, or as HTTP.
  // `transport` is tcp then.
  bool auto_detect = false;
  // For UDP and DTLS: only the first datagram of a client has the header of proxy_protocol.
  bool proxy_header_on_first_only = false;
  // The load balancers. Their connections and datagrams begin with a header of the PROXY protocol. When the
  // list is not empty, all other sources are refused.
  std::vector<Prefix> proxy_protocol{};
  // For auto://: the web server for connections that ask for a name that is not ours.
  std::optional<relay::WebServer> web{};
};

// "auto", or the name of the transport.
std::string_view scheme_of(const Listener& listener);

std::vector<Listener> default_listeners();

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

// How the daemon shuts down.
struct ShutdownParams {
  Duration drain{};  // how long calls may continue after SIGTERM; 0: the process ends at once
  Duration deadline = std::chrono::minutes(10);  // of a drain without a deadline of its own
};

struct LogParams {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  ShownAddresses addresses = ShownAddresses::full;
};

// RFC 5780. For each alternate, the primary is the first udp listener of its family, and the first tcp
// listener with the same address.
struct NatDiscoveryParams {
  std::vector<Endpoint> alternates;  // one at most for each family; port 0 means any free port
};

struct StunParams {
  bool rfc3489 = false;  // whether Binding requests without a magic cookie are answered
};

struct SignalingParams {
  bool enabled = false;             // true when the file has any key of the section
  std::vector<Endpoint> also_at{};  // listeners of STUN and TURN that also accept HTTP
  bool behind_balancer = false;     // one of them takes the clients' addresses from a balancer
  std::vector<http::Listener> listen = {{false, {IpAddress::v4(0x7f000001), 8080}}};
  std::optional<signaling::Access> access;  // not set: see effective_access()
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

  // Whether only this machine can reach it. A trusted proxy, a balancer or a public host means that others
  // can.
  bool is_private() const;
  // The value of `access`. If it is not set: open when only this machine can reach the endpoint, otherwise
  // token.
  signaling::Access effective_access() const;
};

// By path: "FILE:LINE", or nothing for what an override has set.
using Places = std::map<std::string, std::string>;

// A default-constructed Config is the result of an empty file, except auth.realm, which load() copies from
// `realm`.
struct Config {
  std::string realm = "turnpike";
  unsigned workers = 0;  // 0: one for each core that this process may use
  std::vector<Listener> listen = default_listeners();
  turn::RelayParams relay;
  auth::Params auth;
  std::string user_database;  // auth.database: an SQLite file; empty when there is none
  turn::ClientParams clients;
  turn::PeerParams peers;
  turn::Limits limits;
  relay::StreamLimits streams;
  std::chrono::microseconds batching_delay{175};
  NatDiscoveryParams nat_discovery;
  StunParams stun;
  net::TlsParams tls;
  SignalingParams signaling;
  LogParams log;
  admin::Params admin;
  ShutdownParams shutdown;
  cluster::Params cluster;

  // Settings that are allowed but not advisable, for the log and for --check.
  std::vector<std::string> warnings;

  // Files from which secrets were read; see sources.hpp.
  std::vector<std::string> secret_files;
  bool holds_secrets = false;      // by itself, besides those of other files and of the environment
  bool secret_is_made_up = false;  // whether the daemon has made up auth.secrets for this run

  // The keys that the file or an override sets, with their values on one line. find_changes() uses them. They
  // contain secrets, so they must not be shown.
  std::map<std::string, std::string> written;

  // Where the file has its keys and sections. See add_place().
  Places places;
};

// A key with different values in two configurations.
struct ChangedKey {
  std::string path;
  std::string change;  // "0 -> 10", or "changed" when the values are secret or long
  bool needs_restart = false;
};
std::vector<ChangedKey> find_changes(const Config& before, const Config& after);

// Copies to `next` what only a restart can change, which is what runs now, whatever the file says.
void keep_what_needs_restart(Config& next, const Config& now);

// The alternate address (RFC 5780) of this element of config.listen; nothing when it has none.
std::optional<Endpoint> find_alternate(const Listener& listener, const Config& config);

// Reads `file`, replaces values by the overrides ("key.path=value", where value is YAML), and checks the
// result. Returns all errors that it can find at once, by line, up to a limit; also those of find_faults() in
// users and certificates that no other error is about.
Result<Config, Errors> load(const std::string& file, const std::vector<std::string>& overrides = {});

// Returns the place of a fault that begins with the path of a key or of an element of a list, such as
// "auth.users: ..." or "listen[1]: ...", or the place of what it would be in. Empty when the file has no such
// place.
std::string find_place(const Places& places, std::string_view fault);
// Writes such a fault behind its place. A fault without a place stays as it is.
std::string add_place(const Places& places, std::string_view fault);

// try_out.cpp: what load() does not do, since it reads other files and computes keys.
// With the users of auth.database. Throws std::exception with a message for the operator; see
// CredentialStore.
auth::CredentialStore make_credentials(const Config& config);
// The same when the users of the database are known.
auth::CredentialStore make_credentials(const auth::Params& params,
                                       const std::vector<auth::UserParams>& from_database);
// Whether auth.users has a user whose prepared name (opaque_string()) is this.
bool has_user(const auth::Params& params, std::string_view name);
struct RecalledRevocations {
  std::vector<auth::Revocation> revocations;
  std::string warning;  // for the operator; empty when auth.database has no fault
};
// What was revoked, as auth.database keeps it. Throws std::runtime_error with a message for the operator.
RecalledRevocations recall_revocations(const Config& config);
// Says which certificates are not valid at this time, for the operator.
std::vector<std::string> warnings_of(const std::vector<net::Certificate>& certificates, WallTime now);
// The reasons why a daemon cannot start with this configuration: an impossible user, a certificate that
// cannot be used, or revocations that cannot be read. Nothing when it can start. Adds the warnings that it
// would log.
Errors find_faults(const Config& config, std::vector<std::string>& warnings);

// The same for a text in memory; `name` is the name of the file in errors.
Result<Config, Errors> parse(std::string_view text, const std::string& name,
                             const std::vector<std::string>& overrides = {});

struct KnownKey {
  std::string_view path;           // "relay.ports"
  std::string_view default_value;  // as YAML: "49152-65535"
};

// All keys that take a value in this build, in the order of conf/turnpike.yaml.
std::vector<KnownKey> known_keys();

}  // namespace turnpike::config
