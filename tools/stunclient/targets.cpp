#include "stunclient/targets.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string_view>

#include "stunclient/dns.hpp"
#include "turnpike/base/bytes.hpp"

namespace turnpike::stunclient {
namespace {

constexpr std::uint16_t kPort = 3478;  // RFC 8489 §8.1
constexpr std::uint16_t kTlsPort = 5349;
constexpr int kMaxDelegations = 5;  // the maximum length of a chain of NAPTR records

bool is_secure(Transport transport) { return transport == Transport::tls || transport == Transport::dtls; }

std::uint16_t default_port(Transport transport) { return is_secure(transport) ? kTlsPort : kPort; }

bool equals(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Splits at ":" an application service and its protocols (RFC 3958 §6.5).
std::vector<std::string_view> split(std::string_view services) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t colon = services.find(':');
    parts.push_back(services.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    services.remove_prefix(colon + 1);
  }
}

// The protocol tags of RFC 5928 §3 and RFC 7350.
std::string_view protocol_tag(Transport transport) {
  switch (transport) {
    case Transport::udp: return "turn.udp";
    case Transport::tcp: return "turn.tcp";
    case Transport::tls: return "turn.tls";
    case Transport::dtls: return "turn.dtls";
  }
  return "";
}

std::string srv_name(Service service, Transport transport, const std::string& domain) {
  std::string name = service == Service::turn   ? "_turn"
                     : service == Service::stun ? "_stun"
                                                : "_stun-behavior";
  if (is_secure(transport)) name += 's';
  name += transport == Transport::udp || transport == Transport::dtls ? "._udp." : "._tcp.";
  return name + domain;
}

// Sorts SRV records (RFC 2782): by priority, and within one priority at random, with a probability by weight.
void put_in_order(std::vector<Srv>& records, crypto::Random& random) {
  std::ranges::sort(records, {}, [](const Srv& r) { return std::pair(r.priority, r.weight); });
  for (auto next = records.begin(); next != records.end(); ++next) {
    const auto end =
        std::find_if(next, records.end(), [&](const Srv& r) { return r.priority != next->priority; });
    const auto total =
        std::accumulate(next, end, std::uint32_t{0}, [](auto sum, const Srv& r) { return sum + r.weight; });
    auto left = static_cast<std::int64_t>(random.below(total + 1));
    const auto chosen = std::find_if(next, end, [&](const Srv& r) { return (left -= r.weight) <= 0; });
    std::rotate(next, chosen, chosen + 1);
  }
}

class Search {
 public:
  Search(const ServerName& server, crypto::Random& random) : server_(server), random_(random) {
    if (server.transport) {
      transports_ = {*server.transport};
    } else if (server.service == Service::turn) {
      transports_ = {Transport::udp, Transport::tcp};
    } else {
      transports_ = {Transport::udp};
    }
  }

  std::vector<Target> run() {
    if (!has_records()) return at_default_ports();
    if (server_.service == Service::turn && !server_.transport) follow_naptr(server_.host, kMaxDelegations);
    if (found_.empty() && !denied_) ask_for_srv(server_.service);
    if (found_.empty() && !denied_ && server_.service == Service::stun_behavior) ask_for_srv(Service::stun);
    return found_.empty() && !denied_ ? at_default_ports() : found_;
  }

 private:
  bool has_records() const {
    return !server_.port && !IpAddress::parse(server_.host) && server_.host.find('.') != std::string::npos &&
           server_.host.find('%') == std::string::npos;
  }

  // Only a URI leaves the transport open. If it names a port, the port belongs to the first transport.
  std::vector<Target> at_default_ports() const {
    std::vector<Target> targets;
    for (const Transport transport : transports_) {
      targets.push_back({server_.host, server_.port.value_or(default_port(transport)), transport});
      if (!has_records()) break;
    }
    return targets;
  }

  void ask_for_srv(Service service) {
    for (const Transport transport : transports_)
      add_srv(srv_name(service, transport, server_.host), transport);
  }

  void add_srv(const std::string& name, Transport transport) {
    std::vector<Srv> records = find_srv(name);
    if (records.size() == 1 && records[0].target == ".") denied_ = true;
    std::erase_if(records, [](const Srv& r) { return r.target == "." || r.port == 0; });
    put_in_order(records, random_);
    for (const Srv& record : records) found_.push_back({record.target, record.port, transport});
  }

  // RFC 5928 §3, with S-NAPTR (RFC 3958): of each record, the first protocol that is known and not excluded.
  void follow_naptr(const std::string& domain, int delegations) {
    std::vector<Naptr> records = find_naptr(domain);
    std::ranges::sort(records, {}, [](const Naptr& r) { return std::pair(r.order, r.preference); });
    for (const Naptr& record : records) {
      const std::vector<std::string_view> parts = split(record.services);
      if (!equals(parts[0], "RELAY") || !record.regexp.empty()) continue;
      for (const Transport transport : transports_) {
        const auto named = [&](std::string_view tag) { return equals(tag, protocol_tag(transport)); };
        if (std::none_of(parts.begin() + 1, parts.end(), named)) continue;
        if (equals(record.flags, "s")) {
          add_srv(record.replacement, transport);
        } else if (equals(record.flags, "a")) {
          found_.push_back({record.replacement, default_port(transport), transport});
        } else if (record.flags.empty() && delegations > 0) {
          follow_naptr(record.replacement, delegations - 1);
          break;
        }
      }
    }
  }

  const ServerName& server_;
  crypto::Random& random_;
  std::vector<Transport> transports_;  // in order of preference
  std::vector<Target> found_;
  bool denied_ = false;  // the domain declares that it has no such service
};

}  // namespace

std::vector<Target> find_targets(const ServerName& server, crypto::Random& random,
                                 std::vector<std::string>& notes) {
  try {
    return Search(server, random).run();
  } catch (const std::runtime_error& error) {  // the addresses may be known all the same
    notes.emplace_back(error.what());
    const Transport transport = server.transport.value_or(Transport::udp);
    return {{server.host, server.port.value_or(default_port(transport)), transport}};
  }
}

}  // namespace turnpike::stunclient
