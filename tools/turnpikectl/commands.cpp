#include "turnpikectl/commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <iostream>
#include <map>
#include <thread>

#include "cluster/seal.hpp"
#include "config/config.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "turnpikectl/table.hpp"

namespace turnpike::turnpikectl {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (!value) return "-";
  if (value->is_string()) return std::string(value->get_string());
  return json::serialize(*value);
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  boost::system::error_code ignored;
  return value ? value->to_number<std::uint64_t>(ignored) : 0;
}

const json::array& list_of(const json::object& object, std::string_view name) {
  static const json::array none;
  const json::value* value = object.if_contains(name);
  return value && value->is_array() ? value->get_array() : none;
}

void print(const json::value& value) { std::cout << json::serialize(value) << '\n'; }

// Prints a refusal of the daemon.
int refuse(const Answer& answer, bool json) {
  if (json) {
    print(answer.body);
  } else {
    std::cerr << "turnpikectl: " << answer.error() << '\n';
  }
  return kRefused;
}

// Encodes a value of a query, or a segment of a path.
std::string encoded(const std::string& text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

using Totals = std::map<std::string, std::uint64_t>;  // octets of each allocation, both directions

std::uint64_t octets_of(const json::object& one) {
  return number_of(one, "rx_bytes") + number_of(one, "tx_bytes");
}

// The rows of the table. The rate is counted since `before`, or since the start of the allocation when
// `before` does not have it.
std::string allocations_table(const json::array& list, const Totals& before, double seconds, bool by_rate) {
  struct Row {
    const json::object* one;
    double rate;
  };
  std::vector<Row> rows;
  for (const json::value& value : list) {
    if (!value.is_object()) continue;
    const json::object& one = value.get_object();
    const auto earlier = before.find(text_of(one, "id"));
    const auto age = static_cast<double>(std::max<std::uint64_t>(1, number_of(one, "age_s")));
    const bool is_known = earlier != before.end() && seconds > 0;
    rows.push_back({&one, is_known ? static_cast<double>(octets_of(one) - earlier->second) / seconds
                                   : static_cast<double>(octets_of(one)) / age});
  }
  // The oldest comes first. Allocations of one age keep their order from one look to the next.
  std::ranges::sort(rows, [by_rate](const Row& a, const Row& b) {
    if (by_rate && a.rate != b.rate) return a.rate > b.rate;
    const auto [age_a, id_a] = std::pair(number_of(*a.one, "age_s"), text_of(*a.one, "id"));
    const auto [age_b, id_b] = std::pair(number_of(*b.one, "age_s"), text_of(*b.one, "id"));
    return age_a != age_b ? age_a > age_b : id_a < id_b;
  });
  Table table({{"ID"},
               {"USER"},
               {"CLIENT"},
               {"BY"},
               {"RELAYED"},
               {"PEERS", true},
               {"AGE", true},
               {"ENDS IN", true},
               {"FROM CLIENT", true},
               {"TO CLIENT", true},
               {"RATE", true},
               {"DROPPED", true}});
  for (const Row& row : rows) {
    const json::object& one = *row.one;
    std::string relayed;
    for (const json::value& endpoint : list_of(one, "relayed")) {
      relayed.append(relayed.empty() ? "" : " ").append(endpoint.is_string() ? endpoint.get_string() : "");
    }
    table.add({text_of(one, "id"), text_of(one, "user"), text_of(one, "client"), text_of(one, "transport"),
               relayed, std::to_string(number_of(one, "peers") + number_of(one, "connections")),
               readable_duration(static_cast<std::int64_t>(number_of(one, "age_s"))),
               readable_duration(static_cast<std::int64_t>(number_of(one, "expires_in_s"))),
               readable_bytes(number_of(one, "rx_bytes")), readable_bytes(number_of(one, "tx_bytes")),
               readable_rate(row.rate), std::to_string(number_of(one, "dropped_packets"))});
  }
  return table.text();
}

constexpr std::size_t kMaxShownSessions = 20;

// The first allocations that a reload ends, of `all`.
std::string sessions_table(const json::array& list, std::uint64_t all) {
  Table table({{"ID"}, {"USER"}, {"CLIENT"}, {"BY"}, {"AGE", true}});
  std::uint64_t shown = 0;
  for (const json::value& value : list) {
    if (!value.is_object() || shown == kMaxShownSessions) continue;
    const json::object& one = value.get_object();
    table.add({text_of(one, "id"), text_of(one, "user"), text_of(one, "client"), text_of(one, "transport"),
               readable_duration(static_cast<std::int64_t>(number_of(one, "age_s")))});
    ++shown;
  }
  return table.text() + (shown < all ? "and " + std::to_string(all - shown) + " more\n" : "");
}

}  // namespace

int show_status(const Connection& daemon, bool json) {
  const Answer answer = daemon.get("/v1/status");
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
  if (json) {
    print(answer.body);
    return kDone;
  }
  const json::object& status = answer.body.get_object();
  std::cout << "turnpike " << text_of(status, "version") << ", "
            << (text_of(status, "ready") == "true" ? "ready" : "draining") << ", up "
            << readable_duration(static_cast<std::int64_t>(number_of(status, "uptime_s"))) << ", "
            << number_of(status, "workers") << " workers\n\n";
  Table limits({{"LIMIT"}, {"USED", true}, {"OF", true}});
  for (const json::value& value : list_of(status, "limits")) {
    if (!value.is_object()) continue;
    const json::object& limit = value.get_object();
    const std::uint64_t most = number_of(limit, "limit");
    limits.add({text_of(limit, "name"), std::to_string(number_of(limit, "used")),
                most == 0 ? "no limit" : std::to_string(most)});
  }
  std::cout << limits.text() << '\n';
  Table listeners({{"LISTENS ON"}});
  for (const json::value& value : list_of(status, "listeners")) {
    if (value.is_string()) listeners.add({std::string(value.get_string())});
  }
  std::cout << listeners.text();
  if (const json::array& certificates = list_of(status, "certificates"); !certificates.empty()) {
    Table table({{"CERTIFICATE"}, {"EXPIRES"}});
    for (const json::value& value : certificates) {
      if (value.is_object())
        table.add({text_of(value.get_object(), "name"), text_of(value.get_object(), "expires")});
    }
    std::cout << '\n' << table.text();
  }
  return kDone;
}

int list_allocations(const Connection& daemon, const AllocationsOptions& options, bool json) {
  std::string target = "/v1/allocations";
  if (!options.user.empty()) target += "?user=" + encoded(options.user);
  if (!options.address.empty())
    target += (options.user.empty() ? "?address=" : "&address=") + encoded(options.address);
  Totals before;
  auto looked_at = std::chrono::steady_clock::now();
  for (;;) {
    const Answer answer = daemon.get(target);
    if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - looked_at).count();
    const json::array& list = list_of(answer.body.get_object(), "allocations");
    if (json) {
      print(answer.body);
    } else {
      if (options.watch) std::cout << "\033[H\033[2J";  // clears the screen
      std::cout << list.size() << (list.size() == 1 ? " allocation\n" : " allocations\n");
      if (text_of(answer.body.get_object(), "complete") == "false")
        std::cout << "incomplete: a worker did not answer\n";
      std::cout << allocations_table(list, before, seconds, options.by_rate) << std::flush;
    }
    if (!options.watch) return kDone;
    before.clear();
    for (const json::value& one : list) {
      if (one.is_object()) before[text_of(one.get_object(), "id")] = octets_of(one.get_object());
    }
    looked_at = now;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

int kill_allocation(const Connection& daemon, const std::string& id, bool json) {
  const Answer answer = daemon.remove("/v1/allocations/" + encoded(id));
  if (!answer.ok()) return refuse(answer, json);
  if (json) {
    print(answer.body);
  } else {
    std::cout << "allocation " << id << " has ended\n";
  }
  return kDone;
}

int kill_user(const Connection& daemon, const std::string& user, bool json) {
  const Answer answer = daemon.post("/v1/kill", json::object{{"user", user}});
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
  const bool everywhere = text_of(answer.body.get_object(), "everywhere") == "true";
  if (json) {
    print(answer.body);
  } else if (everywhere) {
    std::cout << "the allocations of " << user << " end\n";
  } else {
    std::cerr << "turnpikectl: the other nodes cannot be reached: only the allocations of this node end\n";
  }
  return everywhere ? kDone : kRefused;
}

int list_nodes(const Connection& daemon, bool json) {
  const Answer answer = daemon.get("/v1/nodes");
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
  if (json) {
    print(answer.body);
    return kDone;
  }
  const json::array& nodes = list_of(answer.body.get_object(), "nodes");
  if (nodes.empty()) {
    std::cout << "this server is no node of a cluster\n";
    return kDone;
  }
  Table table({{"NODE"},
               {"STATE"},
               {"ALLOCATIONS", true},
               {"OF", true},
               {"PORTS", true},
               {"OF", true},
               {"RATE", true}});
  for (const json::value& value : nodes) {
    if (!value.is_object()) continue;
    const json::object& node = value.get_object();
    static const json::object none;
    const auto use_of = [&](std::string_view name) -> const json::object& {
      const json::value* use = node.if_contains(name);
      return use && use->is_object() ? use->get_object() : none;
    };
    const std::uint64_t limit = number_of(use_of("allocations"), "limit");
    table.add({text_of(node, "name") + (text_of(node, "self") == "true" ? " *" : ""),
               text_of(node, "draining") == "true" ? "draining"
               : text_of(node, "ready") == "true"  ? "ready"
                                                   : "not ready",
               std::to_string(number_of(use_of("allocations"), "used")),
               limit == 0 ? "no limit" : std::to_string(limit),
               std::to_string(number_of(use_of("ports"), "used")),
               std::to_string(number_of(use_of("ports"), "limit")),
               readable_rate(static_cast<double>(number_of(node, "octets_per_second")))});
  }
  std::cout << table.text();
  return kDone;
}

int drain(const Connection& daemon, std::optional<std::chrono::seconds> deadline, std::uint32_t until,
          bool json) {
  json::object body;
  if (deadline) body["deadline_s"] = deadline->count();
  if (until != 0) body["until"] = until;
  const Answer answer = daemon.post("/v1/drain", body);
  if (!answer.ok()) return refuse(answer, json);
  if (json) {
    print(answer.body);
  } else {
    std::cout << "the daemon lets nobody new in, and ends with its last allocation or at the deadline\n";
  }
  return kDone;
}

int reload(const Connection& daemon, bool dry_run, bool json) {
  const Answer answer = daemon.post("/v1/reload", json::object{{"dry_run", dry_run}});
  if (!answer.body.is_object() || !answer.body.get_object().contains("ok")) return refuse(answer, json);
  if (json) {
    print(answer.body);
    return answer.ok() ? kDone : kRefused;
  }
  const json::object& report = answer.body.get_object();
  for (const json::value& error : list_of(report, "errors")) {
    if (error.is_string()) std::cerr << error.get_string().c_str() << '\n';
  }
  if (!answer.ok()) {
    std::cerr << "turnpikectl: nothing was changed\n";
    return kRefused;
  }
  for (const json::value& key : list_of(report, "changed")) {
    if (key.is_string())
      std::cout << (dry_run ? "would change  " : "changed  ") << key.get_string().c_str() << '\n';
  }
  for (const json::value& key : list_of(report, "needs_restart")) {
    if (key.is_string()) std::cout << "needs a restart  " << key.get_string().c_str() << '\n';
  }
  const std::uint64_t ended = number_of(report, "sessions_ended");
  if (ended != 0) {
    std::cout << (dry_run ? "would end  " : "ended  ") << ended
              << (ended == 1 ? " allocation\n" : " allocations\n")
              << sessions_table(list_of(report, "sessions"), ended);
  }
  if (list_of(report, "changed").empty() && list_of(report, "needs_restart").empty())
    std::cout << "nothing differs\n";
  return kDone;
}

int set_log_level(const Connection& daemon, const std::string& level, bool json) {
  const Answer answer = daemon.post("/v1/loglevel", json::object{{"level", level}});
  if (!answer.ok()) return refuse(answer, json);
  if (json) {
    print(answer.body);
  } else {
    std::cout << "the log level is " << level << " until the next reload that changes it\n";
  }
  return kDone;
}

int mint_credentials(const CredentialsOptions& options, bool json) {
  const auto config = config::load(options.config_file);
  if (!config) {
    for (const auto& error : config.error()) std::cerr << to_string(error) << '\n';
    return kRefused;
  }
  const bool is_node = config->cluster.is_enabled();
  if (config->auth.secrets.empty() && !is_node) {
    std::cerr << "turnpikectl: auth.secrets of " << options.config_file << " is empty\n";
    return kRefused;
  }
  signaling::IceParams params;
  // Credentials of a cluster are good on all of its nodes.
  params.secret =
      is_node ? cluster::credential_secret(config->cluster.secrets.front()) : config->auth.secrets.front();
  params.lifetime = options.ttl;
  for (const config::Listener& listener : config->listen) {
    params.listeners.push_back({listener.transport, listener.endpoint});
    if (listener.auto_detect && config->tls.complete())
      params.listeners.push_back({Transport::tls, listener.endpoint});
  }
  params.host = !options.host.empty() ? options.host : config->signaling.public_host;
  if (params.host.empty()) params.host = "turn.example.org";
  const std::string host = params.host;
  signaling::IceServers servers(std::move(params));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const signaling::IceCredentials credentials =
      servers.mint(options.name, WallTime(std::chrono::duration_cast<Duration>(now)));
  const json::array entries = servers.entries(host, credentials);
  if (json) {
    print({{"username", credentials.username},
           {"password", credentials.password},
           {"expiresAt", signaling::to_rfc3339(credentials.expires)},
           {"iceServers", entries}});
    return kDone;
  }
  std::cout << "username  " << credentials.username << "\npassword  " << credentials.password
            << "\nexpires   " << signaling::to_rfc3339(credentials.expires)
            << "\n\niceServers: " << json::serialize(entries) << '\n';
  return kDone;
}

int check(const std::string& config_file, bool json) {
  const auto config = config::load(config_file);
  json::array errors;
  json::array warnings;
  if (!config) {
    for (const auto& error : config.error()) errors.emplace_back(to_string(error));
  } else {
    for (const std::string& warning : config->warnings) warnings.emplace_back(warning);
    if (const auto fault = config::find_fault(*config)) errors.emplace_back(*fault);
  }
  if (json) {
    print({{"ok", errors.empty()}, {"errors", errors}, {"warnings", warnings}});
  } else {
    for (const json::value& error : errors) std::cerr << error.get_string().c_str() << '\n';
    for (const json::value& warning : warnings)
      std::cerr << "warning: " << warning.get_string().c_str() << '\n';
    if (errors.empty()) std::cout << config_file << " is valid\n";
  }
  return errors.empty() ? kDone : kRefused;
}

}  // namespace turnpike::turnpikectl
