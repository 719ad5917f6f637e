#include "turnpikectl/commands.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <functional>
#include <iterator>
#include <map>
#include <stdexcept>
#include <thread>

#include "cluster/seal.hpp"
#include "config/config.hpp"
#include "net/certificate.hpp"
#include "turnpike/base/printable.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "turnpikectl/answers.hpp"
#include "turnpikectl/output.hpp"
#include "turnpikectl/screen.hpp"
#include "turnpikectl/table.hpp"

namespace turnpike::turnpikectl {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kWatchPeriod{1};
constexpr std::size_t kWidestName = 64;  // of a user; --json has all of it
constexpr std::size_t kNarrowestName = 16;

using Totals = std::map<std::string, std::uint64_t>;  // octets of each allocation, both directions

std::uint64_t octets_of(const json::object& one) {
  return number_of(one, "rx_bytes") + number_of(one, "tx_bytes");
}

// Returns the two numbers of an id such as "0-17".
std::pair<std::uint64_t, std::uint64_t> numbers_of(const std::string& id) {
  std::pair<std::uint64_t, std::uint64_t> numbers;
  const char* const end = id.data() + id.size();
  const char* const dash = std::from_chars(id.data(), end, numbers.first).ptr;
  if (dash != end) std::from_chars(dash + 1, end, numbers.second);
  return numbers;
}

// What the daemon reports of an allocation, and the octets per second.
struct Listed {
  const json::object* one;
  std::pair<std::uint64_t, std::uint64_t> id;
  std::uint64_t age;
  double rate;
};

// Returns the allocations in the order in which they are shown. The rate is counted since `before`, or since
// the start of the allocation when `before` does not contain it.
std::vector<Listed> sorted(const json::array& list, const Totals& before, double seconds, bool by_rate) {
  std::vector<Listed> all;
  for (const json::value& value : list) {
    if (!value.is_object()) continue;
    const json::object& one = value.get_object();
    const std::string id = text_of(one, "id");
    const auto earlier = before.find(id);
    const std::uint64_t age = number_of(one, "age_s");
    const bool is_known = earlier != before.end() && seconds > 0;
    const double rate =
        is_known ? static_cast<double>(octets_of(one) - earlier->second) / seconds
                 : static_cast<double>(octets_of(one)) / static_cast<double>(std::max<std::uint64_t>(1, age));
    all.push_back({&one, numbers_of(id), age, rate});
  }
  // The oldest comes first. Allocations of the same age keep their order from one list to the next.
  std::ranges::sort(all, [by_rate](const Listed& a, const Listed& b) {
    if (by_rate && a.rate != b.rate) return a.rate > b.rate;
    return a.age != b.age ? a.age > b.age : a.id < b.id;
  });
  return all;
}

Table allocations_table(const std::vector<Listed>& all) {
  Table table({{.title = "ID"},
               {.title = "USER", .widest = kWidestName, .narrowest = kNarrowestName},
               {.title = "CLIENT", .spare = 2},
               {.title = "BY", .spare = 4},
               {.title = "RELAYED", .spare = 8},
               {.title = "PEERS", .is_number = true, .spare = 6},
               {.title = "AGE", .is_number = true, .spare = 3, .at_least = 7},
               {.title = "ENDS IN", .is_number = true, .spare = 9},
               {.title = "FROM CLIENT", .is_number = true, .spare = 5},
               {.title = "TO CLIENT", .is_number = true, .spare = 5},
               {.title = "RATE", .is_number = true, .spare = 1, .at_least = 11},
               {.title = "DROPPED", .is_number = true, .spare = 7}});
  for (const Listed& each : all) {
    const json::object& one = *each.one;
    std::string relayed;
    for (const json::value& endpoint : list_of(one, "relayed")) {
      relayed.append(relayed.empty() ? "" : " ").append(endpoint.is_string() ? endpoint.get_string() : "");
    }
    table.add({text_of(one, "id"), text_of(one, "user"), text_of(one, "client"), text_of(one, "transport"),
               relayed, std::to_string(number_of(one, "peers") + number_of(one, "connections")),
               readable_duration(static_cast<std::int64_t>(each.age)),
               readable_duration(static_cast<std::int64_t>(number_of(one, "expires_in_s"))),
               readable_bytes(number_of(one, "rx_bytes")), readable_bytes(number_of(one, "tx_bytes")),
               readable_rate(each.rate), std::to_string(number_of(one, "dropped_packets"))});
  }
  return table;
}

std::string number_of_allocations(std::uint64_t number) {
  return std::to_string(number) + (number == 1 ? " allocation" : " allocations");
}

// Returns the list with a heading, at most this many columns wide.
std::vector<std::string> describe(const json::object& answer, const std::vector<Listed>& all,
                                  std::size_t columns = kNoBound) {
  std::vector<std::string> lines{number_of_allocations(all.size())};
  if (text_of(answer, "complete") == "false") lines.emplace_back("incomplete: a worker did not answer");
  std::ranges::move(allocations_table(all).lines(columns), std::back_inserter(lines));
  return lines;
}

// Draws the list as a page. Its first line tells how many rows do not fit.
void draw(const Screen& screen, const json::object& answer, const std::vector<Listed>& all, bool by_rate) {
  const auto [rows, columns] = screen.size();
  std::vector<std::string> lines = describe(answer, all, columns);
  if (lines.size() > rows) {
    const std::size_t hidden = std::min(lines.size() - rows, all.size());
    lines.resize(rows);
    lines.front() += ": the " + std::to_string(all.size() - hidden) + (by_rate ? " busiest" : " oldest") +
                     ", and " + std::to_string(hidden) + " more that do not fit";
  }
  lines.front() += " (q: quit)";
  screen.draw(lines);
}

constexpr std::size_t kMaxShownSessions = 20;
constexpr std::size_t kMaxMintedName = 490;

// Returns the name by which clients find the server of this configuration, or an empty text when it does not
// have one.
std::string find_host(const config::Config& config) {
  if (!config.signaling.public_host.empty()) return config.signaling.public_host;
  if (!config.cluster.node.empty()) return config.cluster.node;
  if (!config.tls.complete()) return {};
  try {
    return net::load_certificates(config.tls).front().public_name();
  } catch (const std::exception&) {
    return {};  // only the daemon may be able to read the files
  }
}

// Returns the advertised addresses by the local ones. An address that is advertised without a local one
// stands for all listeners of its family, since only the daemon knows the relayed address that it belongs to.
std::map<IpAddress, IpAddress> find_advertised(const config::Config& config) {
  std::map<IpAddress, IpAddress> advertised = config.relay.advertise;
  for (const IpAddress& address : config.relay.advertise_for_only) {
    for (const config::Listener& listener : config.listen) {
      if (listener.endpoint.family() == address.family())
        advertised.emplace(listener.endpoint.address, address);
    }
  }
  return advertised;
}

// Returns what the URLs and the credentials are made of, as the daemon would make them.
signaling::IceParams ice_params_of(const config::Config& config, const CredentialsOptions& options) {
  const bool is_node = config.cluster.is_enabled();
  if (config.auth.secrets.empty() && !is_node) {
    throw std::runtime_error("auth.secrets of " + options.config_file + " is empty");
  }
  signaling::IceParams params;
  // Credentials of a cluster are valid on all of its nodes.
  params.secret =
      is_node ? cluster::credential_secret(config.cluster.secrets.front()) : config.auth.secrets.front();
  params.lifetime = options.ttl;
  for (const config::Listener& listener : config.listen) {
    params.listeners.push_back({listener.transport, listener.endpoint});
    if (listener.auto_detect && config.tls.complete())
      params.listeners.push_back({Transport::tls, listener.endpoint});
  }
  params.host = options.host.empty() ? find_host(config) : options.host;
  if (params.host.empty()) params.advertise = find_advertised(config);
  if (params.host.empty() && params.advertise.empty()) {
    params.host = "turn.example.org";
    complain(
        "turnpikectl: the configuration does not say by which name clients find this server, so the URLs "
        "have " +
        params.host + " in its place, or use --host");
  }
  return params;
}

// Prints what is wrong with a configuration. Returns the exit code.
int report_errors(const config::Errors& errors, bool json) {
  if (!json) {
    for (const config::Error& error : errors) complain(to_string(error));
    return kRefused;
  }
  std::string all;
  for (const config::Error& error : errors) all.append(all.empty() ? "" : "; ").append(to_string(error));
  report_failure("bad-configuration", all, json);
  return kRefused;
}

void say_limits(const json::array& limits) {
  Table table({{.title = "LIMIT"}, {.title = "USED", .is_number = true}, {.title = "OF", .is_number = true}});
  for (const json::value& value : limits) {
    if (!value.is_object()) continue;
    const json::object& limit = value.get_object();
    const std::uint64_t most = number_of(limit, "limit");
    table.add({text_of(limit, "name"), std::to_string(number_of(limit, "used")),
               most == 0 ? "no limit" : std::to_string(most)});
  }
  say("");
  say(table.lines());
}

void say_listeners(const json::array& listeners) {
  Table table({{.title = "LISTENS ON"}});
  for (const json::value& value : listeners) {
    if (value.is_string()) table.add({std::string(value.get_string())});
  }
  say("");
  say(table.lines());
}

void say_certificates(const json::array& certificates) {
  if (certificates.empty()) return;
  Table table({{.title = "CERTIFICATE"}, {.title = "EXPIRES"}});
  for (const json::value& value : certificates) {
    if (value.is_object())
      table.add({text_of(value.get_object(), "name"), text_of(value.get_object(), "expires")});
  }
  say("");
  say(table.lines());
}

// Prints the reasons that have a count, the most frequent one first.
void say_counts(const json::object& counts, const char* title) {
  std::vector<std::pair<std::uint64_t, std::string>> reasons;
  for (const auto& member : counts) {
    const std::string reason(member.key().data(), member.key().size());
    const std::uint64_t count = number_of(counts, reason);
    if (count != 0) reasons.emplace_back(count, reason);
  }
  if (reasons.empty()) return;
  std::ranges::stable_sort(reasons, std::ranges::greater(), &std::pair<std::uint64_t, std::string>::first);
  Table table({{.title = title}, {.title = "TIMES", .is_number = true}});
  for (const auto& [count, reason] : reasons) table.add({reason, std::to_string(count)});
  say("");
  say(table.lines());
}

// Describes the first of the `number` allocations that a reload ends.
std::vector<std::string> describe_sessions(const json::array& list, std::uint64_t number) {
  Table table({{.title = "ID"},
               {.title = "USER", .widest = kWidestName},
               {.title = "CLIENT"},
               {.title = "BY"},
               {.title = "AGE", .is_number = true}});
  std::vector<Listed> shown = sorted(list, {}, 0, false);
  if (shown.size() > kMaxShownSessions) shown.resize(kMaxShownSessions);
  for (const Listed& each : shown) {
    const json::object& one = *each.one;
    table.add({text_of(one, "id"), text_of(one, "user"), text_of(one, "client"), text_of(one, "transport"),
               readable_duration(static_cast<std::int64_t>(each.age))});
  }
  std::vector<std::string> lines = table.lines();
  if (shown.size() < number) lines.push_back("and " + std::to_string(number - shown.size()) + " more");
  return lines;
}

}  // namespace

int show_status(const Connection& daemon, bool json) {
  const Answer answer = daemon.get("/v1/status");
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
  if (json) {
    say_json(answer.body);
    return kDone;
  }
  const json::object& status = answer.body.get_object();
  const std::uint64_t workers = number_of(status, "workers");
  say("turnpike " + text_of(status, "version") + ", " +
      (text_of(status, "draining") == "true" ? "draining"
       : text_of(status, "ready") == "true"  ? "ready"
                                             : "not ready") +
      ", up " + readable_duration(static_cast<std::int64_t>(number_of(status, "uptime_s"))) + ", " +
      std::to_string(workers) + (workers == 1 ? " worker" : " workers"));
  say("relayed " + readable_bytes(number_of(status, "to_peer_bytes")) + " to peers and " +
      readable_bytes(number_of(status, "to_client_bytes")) + " to clients");
  say_limits(list_of(status, "limits"));
  say_listeners(list_of(status, "listeners"));
  say_certificates(list_of(status, "certificates"));
  say_counts(object_of(status, "refused"), "REFUSED BECAUSE OF");
  say_counts(object_of(status, "dropped"), "DROPPED BECAUSE OF");
  return kDone;
}

int list_allocations(const Connection& daemon, const AllocationsOptions& options, bool json) {
  std::string target = "/v1/allocations";
  if (!options.user.empty()) target += "?user=" + encoded(options.user);
  if (!options.address.empty())
    target += (options.user.empty() ? "?address=" : "&address=") + encoded(options.address);
  std::optional<Screen> screen;
  if (options.watch && !json && Screen::is_there()) screen.emplace();
  Totals before;
  auto looked_at = std::chrono::steady_clock::now();
  for (;;) {
    const Answer answer = daemon.get(target);
    if (!answer.ok() || !answer.body.is_object()) {
      screen.reset();
      return refuse(answer, json);
    }
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - looked_at).count();
    const json::object& body = answer.body.get_object();
    const std::vector<Listed> all = sorted(list_of(body, "allocations"), before, seconds, options.by_rate);
    if (json) {
      say_json(answer.body);
    } else if (!screen) {
      say(describe(body, all));
      if (options.watch) say("");
    }
    if (!options.watch) return kDone;
    if (!screen) {
      if (!finish_output()) return kRefused;
      std::this_thread::sleep_until(now + kWatchPeriod);
    } else {
      Screen::Event event{};
      do {
        draw(*screen, body, all, options.by_rate);
        event = screen->wait_until(now + kWatchPeriod);
      } while (event == Screen::Event::resized);
      if (event == Screen::Event::quit) return kDone;
    }
    before.clear();
    for (const Listed& each : all) before[text_of(*each.one, "id")] = octets_of(*each.one);
    looked_at = now;
  }
}

int kill_allocation(const Connection& daemon, const std::string& id, bool json) {
  const Answer answer = daemon.remove("/v1/allocations/" + encoded(id));
  if (!answer.ok()) return refuse(answer, json);
  if (json) {
    say_json(answer.body);
  } else {
    say("allocation " + id + " has ended");
  }
  return kDone;
}

int kill_user(const Connection& daemon, const std::string& user, bool json) {
  const Answer answer = daemon.post("/v1/kill", json::object{{"user", user}});
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
  if (json) {
    say_json(answer.body);
  } else {
    const bool complete = text_of(answer.body.get_object(), "complete") != "false";
    say("the allocations of " + user + (complete ? " have ended" : " end; a worker did not answer in time"));
  }
  return report_missed(answer.body.get_object(), "only the allocations of this node have ended", json);
}

int list_nodes(const Connection& daemon, bool json) {
  const Answer answer = daemon.get("/v1/nodes");
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
  if (json) {
    say_json(answer.body);
    return kDone;
  }
  const json::array& nodes = list_of(answer.body.get_object(), "nodes");
  if (nodes.empty()) {
    say("this server is not a node of a cluster");
    return kDone;
  }
  Table table({{.title = "NODE"},
               {.title = "STATE"},
               {.title = "ALLOCATIONS", .is_number = true},
               {.title = "OF", .is_number = true},
               {.title = "PORTS", .is_number = true},
               {.title = "OF", .is_number = true},
               {.title = "RATE", .is_number = true}});
  for (const json::value& value : nodes) {
    if (!value.is_object()) continue;
    const json::object& node = value.get_object();
    const std::uint64_t limit = number_of(object_of(node, "allocations"), "limit");
    table.add({text_of(node, "name") + (text_of(node, "self") == "true" ? " *" : ""),
               text_of(node, "name_used_twice") == "true" ? "name used twice"
               : text_of(node, "draining") == "true"      ? "draining"
               : text_of(node, "ready") == "true"         ? "ready"
                                                          : "not ready",
               std::to_string(number_of(object_of(node, "allocations"), "used")),
               limit == 0 ? "no limit" : std::to_string(limit),
               std::to_string(number_of(object_of(node, "ports"), "used")),
               std::to_string(number_of(object_of(node, "ports"), "limit")),
               readable_rate(static_cast<double>(number_of(node, "octets_per_second")))});
  }
  say(table.lines());
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
    say_json(answer.body);
  } else {
    say("the daemon refuses new clients, and stops when the last allocation has ended or at the deadline");
  }
  return kDone;
}

int reload(const Connection& daemon, bool dry_run, bool json) {
  const Answer answer = daemon.post("/v1/reload", json::object{{"dry_run", dry_run}});
  if (!answer.body.is_object() || !answer.body.get_object().contains("ok")) return refuse(answer, json);
  if (json) {
    say_json(answer.body);
    return answer.ok() ? kDone : kRefused;
  }
  const json::object& report = answer.body.get_object();
  for (const json::value& error : list_of(report, "errors")) {
    if (error.is_string()) complain(text_of(error));
  }
  if (!answer.ok()) {
    complain("turnpikectl: nothing was changed");
    return kRefused;
  }
  for (const json::value& key : list_of(report, "changed")) {
    if (key.is_string()) say((dry_run ? "would change  " : "changed  ") + text_of(key));
  }
  for (const json::value& key : list_of(report, "needs_restart")) {
    if (key.is_string()) say("needs a restart  " + text_of(key));
  }
  const std::uint64_t ended = number_of(report, "sessions_ended");
  if (ended != 0) {
    say((dry_run ? "would end  " : "ended  ") + number_of_allocations(ended));
    say(describe_sessions(list_of(report, "sessions"), ended));
  }
  if (list_of(report, "changed").empty() && list_of(report, "needs_restart").empty())
    say("the configuration has not changed");
  return kDone;
}

int set_log_level(const Connection& daemon, const std::string& level, bool json) {
  const Answer answer = daemon.post("/v1/loglevel", json::object{{"level", level}});
  if (!answer.ok()) return refuse(answer, json);
  if (json) {
    say_json(answer.body);
  } else {
    say("the log level is " + level + " until the next reload that changes it");
  }
  return kDone;
}

int mint_credentials(const CredentialsOptions& options, bool json) {
  const auto config = config::load(options.config_file);
  if (!config) return report_errors(config.error(), json);
  // With the longest expiry before it, it is no longer than a user name may be.
  if (options.name.empty() || options.name.size() > kMaxMintedName) {
    throw std::invalid_argument("NAME has 1 to " + std::to_string(kMaxMintedName) + " octets");
  }
  signaling::IceServers servers(ice_params_of(*config, options));
  const std::string host = servers.host_for({});
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const signaling::IceCredentials credentials =
      servers.mint(options.name, WallTime(std::chrono::duration_cast<Duration>(now)));
  const json::array entries = servers.entries(host, credentials);
  if (json) {
    say_json({{"username", credentials.username},
              {"password", credentials.password},
              {"expiresAt", signaling::to_rfc3339(credentials.expires)},
              {"iceServers", entries}});
    return kDone;
  }
  say("username  " + credentials.username);
  say("password  " + credentials.password);
  say("expires   " + signaling::to_rfc3339(credentials.expires));
  say("");
  say("iceServers: " + printable_json(json::serialize(entries)));
  return kDone;
}

int check(const std::string& config_file, bool json) {
  const auto config = config::load(config_file);
  json::array errors;
  json::array warnings;
  if (!config) {
    for (const auto& error : config.error()) errors.emplace_back(to_string(error));
  } else {
    std::vector<std::string> all = config->warnings;
    for (const auto& error : config::find_faults(*config, all)) errors.emplace_back(to_string(error));
    for (const std::string& warning : all) warnings.emplace_back(config::add_place(config->places, warning));
  }
  if (json) {
    say_json({{"ok", errors.empty()}, {"errors", errors}, {"warnings", warnings}});
  } else {
    for (const json::value& error : errors) complain(text_of(error));
    for (const json::value& warning : warnings) complain("warning: " + text_of(warning));
    if (errors.empty()) say(config_file + " is valid");
  }
  return errors.empty() ? kDone : kRefused;
}

}  // namespace turnpike::turnpikectl
