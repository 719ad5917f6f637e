#include "cluster/node_record.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "cluster/json_reader.hpp"

namespace turnpike::cluster {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxUrls = 32;  // of each kind
constexpr std::size_t kMaxUrl = 512;  // octets
constexpr std::size_t kMaxListeners = 64;
constexpr std::size_t kMaxSecretId = 16;  // octets

constexpr std::size_t longest_transport_name() {
  std::size_t longest = 0;
  for (const Transport one : kTransports) longest = std::max(longest, to_string(one).size());
  return longest;
}

json::array to_array(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

json::object to_object(const NodeRecord::Use& use) { return {{"used", use.used}, {"limit", use.limit}}; }

NodeRecord::Use read_use(JsonReader& outer, std::string_view name) {
  JsonReader reader(outer.any(name));
  const NodeRecord::Use use{reader.number("used"), reader.number("limit")};
  outer.require(reader.is_right());
  return use;
}

json::object to_object(const NodeRecord::Held& held) {
  json::object object;
  for (const auto& [name, count] : held) object[name] = count;
  return object;
}

NodeRecord::Held read_held(JsonReader& outer, std::string_view name) {
  NodeRecord::Held held;
  const json::value& value = outer.any(name);
  outer.require(value.is_object() && value.get_object().size() <= NodeRecord::kMaxHeld);
  if (!outer.is_right()) return held;
  JsonReader reader(value);
  for (const auto& [key, count] : value.get_object()) {
    const std::uint64_t number = reader.number(key);
    outer.require(key.size() <= NodeRecord::kMaxHolder && number <= UINT32_MAX);
    held.emplace(std::string(key.data(), key.size()), static_cast<std::uint32_t>(number));
  }
  outer.require(reader.is_right());
  return held;
}

json::object to_object(const NodeRecord::Demands& demands) {
  json::object object;
  for (const auto& [name, octets] : demands) object[name] = {octets[0], octets[1]};
  return object;
}

// A rate above this is reduced to it, so that sums of rates do not overflow.
constexpr std::uint64_t kMaxDemand = std::uint64_t{1} << 48;

NodeRecord::Demands read_demands(JsonReader& outer, std::string_view name) {
  NodeRecord::Demands demands;
  const json::value& value = outer.any(name);
  outer.require(value.is_object() && value.get_object().size() <= NodeRecord::kMaxHeld);
  if (!outer.is_right()) return demands;
  for (const auto& [key, rates] : value.get_object()) {
    const json::array* list = rates.if_array();
    if (!list || list->size() != 2 || key.size() > NodeRecord::kMaxHolder) {
      outer.require(false);
      break;
    }
    auto& demand = demands[std::string(key.data(), key.size())];
    for (std::size_t i = 0; i < demand.size(); ++i) {
      const json::value& rate = (*list)[i];
      boost::system::error_code error;
      if (rate.is_number()) demand[i] = std::min(rate.to_number<std::uint64_t>(error), kMaxDemand);
      outer.require(rate.is_number() && !error);
    }
  }
  return demands;
}

std::optional<NodeRecord::Listener> read_listener(const json::value& value) {
  JsonReader reader(value);
  const std::string transport = reader.text("transport", longest_transport_name());
  const auto* known =
      std::ranges::find_if(kTransports, [&](Transport one) { return to_string(one) == transport; });
  const auto endpoint = Endpoint::parse(reader.text("endpoint", 64));
  if (!reader.is_right() || known == kTransports.end() || !endpoint || endpoint->port == 0)
    return std::nullopt;
  return NodeRecord::Listener{*known, *endpoint};
}

bool have_scheme(const std::vector<std::string>& urls, std::string_view plain, std::string_view secure) {
  return std::ranges::all_of(
      urls, [&](const std::string& url) { return url.starts_with(plain) || url.starts_with(secure); });
}

}  // namespace

double NodeRecord::Use::fraction() const {
  if (limit == 0) return 0;
  return std::min(1.0, static_cast<double>(used) / static_cast<double>(limit));
}

double NodeRecord::load() const { return std::max(allocations.fraction(), ports.fraction()); }

std::string to_json(const NodeRecord& record) {
  json::array listeners;
  for (const NodeRecord::Listener& listener : record.listeners) {
    listeners.push_back(
        {{"transport", to_string(listener.transport)}, {"endpoint", listener.endpoint.to_string()}});
  }
  json::object object{{"name", record.name},
                      {"began", record.began},
                      {"written_at", record.written_at},
                      {"stun_urls", to_array(record.stun_urls)},
                      {"turn_urls", to_array(record.turn_urls)},
                      {"listeners", std::move(listeners)},
                      {"allocations", to_object(record.allocations)},
                      {"ports", to_object(record.ports)},
                      {"octets_per_second", record.octets_per_second},
                      {"held_by_user", to_object(record.held_by_user)},
                      {"held_by_address", to_object(record.held_by_address)},
                      {"demand_by_user", to_object(record.demand_by_user)},
                      {"ready", record.ready},
                      {"draining", record.draining}};
  if (record.leaving) object["leaving"] = true;
  if (!record.secrets.empty()) object["secrets"] = to_array(record.secrets);
  return json::serialize(object);
}

std::optional<NodeRecord> parse_node_record(std::string_view text) {
  const std::optional<json::value> value = parse_strict(text);
  if (!value) return std::nullopt;
  JsonReader reader(*value);
  NodeRecord record;
  record.name = reader.text("name", NodeRecord::kMaxName);
  record.began = reader.number("began");
  record.written_at = reader.number("written_at");
  record.stun_urls = reader.texts("stun_urls", kMaxUrls, kMaxUrl);
  record.turn_urls = reader.texts("turn_urls", kMaxUrls, kMaxUrl);
  for (const json::value& element : reader.list("listeners", kMaxListeners)) {
    const auto listener = read_listener(element);
    reader.require(listener.has_value());
    if (listener) record.listeners.push_back(*listener);
  }
  record.allocations = read_use(reader, "allocations");
  record.ports = read_use(reader, "ports");
  record.octets_per_second = reader.number("octets_per_second");
  record.held_by_user = read_held(reader, "held_by_user");
  record.held_by_address = read_held(reader, "held_by_address");
  record.demand_by_user = read_demands(reader, "demand_by_user");
  record.ready = reader.flag("ready");
  record.draining = reader.flag("draining");
  // Nodes of an earlier version do not write these.
  if (reader.has("leaving")) record.leaving = reader.flag("leaving");
  if (reader.has("secrets")) record.secrets = reader.texts("secrets", NodeRecord::kMaxSecrets, kMaxSecretId);
  const bool are_urls =
      have_scheme(record.stun_urls, "stun:", "stuns:") && have_scheme(record.turn_urls, "turn:", "turns:");
  if (!reader.is_right() || record.name.empty() || !are_urls) return std::nullopt;
  return record;
}

std::optional<std::size_t> find_common_secret(const std::vector<std::string>& ids,
                                              const std::vector<NodeRecord>& others) {
  std::optional<std::size_t> common;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool is_known = std::ranges::all_of(others, [&](const NodeRecord& node) {
      return node.secrets.empty() || std::ranges::find(node.secrets, ids[i]) != node.secrets.end();
    });
    if (is_known && (!common || ids[i] < ids[*common])) common = i;
  }
  return common;
}

}  // namespace turnpike::cluster
