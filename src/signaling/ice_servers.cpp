#include "turnpike/signaling/ice_servers.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>

#include "turnpike/auth/rest.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

// A fraction of a node's limits; from this load on, clients get other nodes first.
constexpr double kBusy = 0.7;

// Removes the brackets around an IPv6 address, which URLs and the requests of browsers have.
std::string_view without_brackets(std::string_view host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

bool is_localhost(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const std::optional<IpAddress> address = IpAddress::parse(host);
  return address && address->is_loopback();
}

json::array to_json(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

std::string padded(std::int64_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

}  // namespace

std::string IceServers::host_for(std::string_view requested) const {
  requested = without_brackets(requested);
  if (!params_.host.empty()) return params_.host;
  if (!params_.certificate_name.empty()) return params_.certificate_name;
  if (!params_.advertise.empty()) return params_.advertise.begin()->second.to_string();
  if (!requested.empty() && !is_localhost(requested)) return std::string(requested);
  if (params_.default_address) return params_.default_address->to_string();
  return std::string(requested);
}

std::string IceServers::quota_user(std::string_view subject, const IpAddress& client) {
  if (!subject.empty()) return std::string(subject);
  const std::string source = source_block(client).to_string();
  const std::string& secret = name_secret_.empty() ? params_.secret : name_secret_;
  const crypto::Sha256 hash = digester_.hmac_sha256(as_bytes(secret), {as_bytes(source)});
  return "guest-" + crypto::base64url_encode(Bytes(hash).first(9));
}

IceCredentials IceServers::mint(std::string_view user, WallTime now) {
  IceCredentials credentials;
  credentials.expires = std::chrono::floor<std::chrono::seconds>(now + params_.lifetime);
  const auto expiry =
      std::chrono::duration_cast<std::chrono::seconds>(credentials.expires.time_since_epoch());
  credentials.username = std::to_string(expiry.count()).append(":").append(user);
  credentials.password = auth::rest_password(digester_, params_.secret, credentials.username);
  return credentials;
}

// Returns HOST:PORT of a listener for a client that knows this server as `host`, or nothing when the listener
// cannot be reached there.
std::optional<std::string> IceServers::authority(const IceParams::Listener& listener,
                                                 const std::string& host) const {
  const Endpoint& at = listener.endpoint;
  const std::string port = ':' + std::to_string(at.port);
  const std::optional<IpAddress> literal = IpAddress::parse(host);
  const bool told = !params_.host.empty() || !params_.certificate_name.empty();
  if (!told && !at.address.is_unspecified()) {
    const auto advertised = params_.advertise.find(at.address);
    const IpAddress& address = advertised == params_.advertise.end() ? at.address : advertised->second;
    return Endpoint{address, at.port, 0}.to_string();
  }
  if (!literal) return host + port;
  if (literal->family() != at.address.family()) return std::nullopt;
  return Endpoint{*literal, at.port, 0}.to_string();
}

std::vector<std::string> IceServers::urls(const std::string& host, std::string_view plain,
                                          std::string_view secure, bool with_transport) const {
  constexpr std::array kOrder{Transport::udp, Transport::tcp, Transport::tls};
  std::vector<std::string> urls;
  for (const Transport transport : kOrder) {
    for (const IceParams::Listener& listener : params_.listeners) {
      if (listener.transport != transport) continue;
      const std::optional<std::string> authority = this->authority(listener, host);
      if (!authority) continue;
      std::string url(transport == Transport::tls ? secure : plain);
      url.append(":").append(*authority);
      if (with_transport) url.append(transport == Transport::udp ? "?transport=udp" : "?transport=tcp");
      if (std::ranges::find(urls, url) == urls.end()) urls.push_back(std::move(url));
    }
    if (!with_transport) break;  // RFC 7064: a stun: URL names no transport, and browsers ask by UDP
  }
  return urls;
}

std::vector<std::string> IceServers::stun_urls(const std::string& host) const {
  return urls(host, "stun", "stuns", false);
}

std::vector<std::string> IceServers::turn_urls(const std::string& host) const {
  return urls(host, "turn", "turns", true);
}

void IceServers::set_nodes(std::vector<OtherNode> others, const OtherNode& own_load, bool takes_clients,
                           crypto::Random& random) {
  cluster_.reset();
  if (!others.empty()) cluster_ = Cluster{std::move(others), own_load, takes_clients, &random};
}

IceUrls IceServers::choose_urls(const std::string& host) const {
  IceUrls own{stun_urls(host), turn_urls(host)};
  if (!cluster_) return own;
  // These nodes can still be chosen. take_one() removes the less loaded of two random ones.
  std::vector<const OtherNode*> nodes;
  for (const OtherNode& node : cluster_->others) nodes.push_back(&node);
  const auto take_one = [&]() -> const OtherNode* {
    if (nodes.empty()) return nullptr;
    const auto draw = [&] {
      return nodes.begin() + cluster_->random->below(static_cast<std::uint32_t>(nodes.size()));
    };
    const auto is_less_loaded = [](const OtherNode* a, const OtherNode* b) {
      return std::pair(a->load, a->octets_per_second) < std::pair(b->load, b->octets_per_second);
    };
    const auto better = std::min(draw(), draw(), [&](auto a, auto b) { return is_less_loaded(*a, *b); });
    const OtherNode* const chosen = *better;
    nodes.erase(better);
    return chosen;
  };
  const bool begins_here = cluster_->takes_clients && cluster_->own.load < kBusy;
  if (cluster_->takes_clients && !begins_here) nodes.push_back(&cluster_->own);
  IceUrls urls;
  const auto add = [&](const OtherNode* node) {
    const bool is_own = node == &cluster_->own;
    const std::vector<std::string>& stun = is_own ? own.stun : node->stun_urls;
    const std::vector<std::string>& turn = is_own ? own.turn : node->turn_urls;
    urls.stun.insert(urls.stun.end(), stun.begin(), stun.end());
    urls.turn.insert(urls.turn.end(), turn.begin(), turn.end());
  };
  add(begins_here ? &cluster_->own : take_one());
  if (const OtherNode* second = take_one()) add(second);
  return urls;
}

json::array IceServers::entries(const std::string& host, const IceCredentials& credentials) const {
  json::array entries;
  const IceUrls urls = choose_urls(host);
  if (!urls.stun.empty()) entries.emplace_back(json::object{{"urls", to_json(urls.stun)}});
  if (!urls.turn.empty()) {
    entries.emplace_back(json::object{{"urls", to_json(urls.turn)},
                                      {"username", credentials.username},
                                      {"credential", credentials.password}});
  }
  return entries;
}

std::string to_rfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time.time_since_epoch());
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time.time_since_epoch() - day)};
  return padded(static_cast<int>(date.year()), 4) + '-' + padded(static_cast<unsigned>(date.month()), 2) +
         '-' + padded(static_cast<unsigned>(date.day()), 2) + 'T' + padded(clock.hours().count(), 2) + ':' +
         padded(clock.minutes().count(), 2) + ':' + padded(clock.seconds().count(), 2) + 'Z';
}

}  // namespace turnpike::signaling
