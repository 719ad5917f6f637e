// What a browser needs to know to use this relay: the URLs of the listeners that are up, and credentials that
// last for a while (draft-uberti-behave-turn-rest). Belongs to one thread.
#pragma once

#include <boost/json/array.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::signaling {

struct IceParams {
  struct Listener {
    Transport transport = Transport::udp;
    Endpoint endpoint;  // the port that was really taken
  };
  std::vector<Listener> listeners;
  // The host that the operator wants in URLs; when it is empty, see IceServers::host_for.
  std::string host;
  std::string certificate_name;  // the first name of the certificate that tls listeners show; empty without
  std::map<IpAddress, IpAddress> advertise;  // local → advertised
  // The address by which other machines of this network reach this one.
  std::optional<IpAddress> default_address;
  std::string secret;  // of auth.secrets
  Duration lifetime = std::chrono::hours(1);
};

struct IceCredentials {
  std::string username;
  std::string password;
  WallTime expires;
};

struct IceUrls {
  std::vector<std::string> stun;  // RFC 7064
  std::vector<std::string> turn;  // RFC 7065
};

// Another node of a cluster that takes new clients.
struct OtherNode {
  std::vector<std::string> stun_urls;
  std::vector<std::string> turn_urls;
  double load = 0;                      // from 0 to 1: how full it is
  std::uint64_t octets_per_second = 0;  // relayed
};

class IceServers {
 public:
  explicit IceServers(IceParams params) : params_(std::move(params)) {}

  // Replaces all parameters.
  void use(IceParams params) { params_ = std::move(params); }
  // Changes the addresses, because those of this machine have changed.
  void set_addresses(std::map<IpAddress, IpAddress> advertise, const std::optional<IpAddress>& by_default) {
    params_.advertise = std::move(advertise);
    params_.default_address = by_default;
  }

  // Changes the name of the certificate, because another one is shown now.
  void set_certificate_name(std::string name) { params_.certificate_name = std::move(name); }

  // Returns the host that URLs name for a client: the operator's, else the certificate's, else an advertised
  // address, else the one that the request named, without its port. `requested` is empty when the request
  // came through a proxy. A request to localhost gets the address by which the relay is reached, since
  // relayed addresses are never on loopback.
  std::string host_for(std::string_view requested) const;

  // The user part of a TURN user name, by which the relay counts: the subject of the client's token, else the
  // address that the client comes from (an IPv6 /64 counts as one). It does not tell which address that is,
  // since more people see user names than the addresses of others.
  std::string quota_user(std::string_view subject, const IpAddress& client);
  // The secret from which the names of guests are computed. It differs from that of the credentials while the
  // nodes of a cluster make credentials with different secrets.
  void set_name_secret(std::string secret) { name_secret_ = std::move(secret); }

  // Makes credentials that are valid for lifetime(). The quota of the relay counts them under `user`.
  IceCredentials mint(std::string_view user, WallTime now);

  // In a cluster, clients get the URLs of two nodes that take new clients. This node is the first of them
  // while it is not busy; each other choice is the less loaded of two random nodes. `random` outlives this
  // object.
  void set_nodes(std::vector<OtherNode> others, const OtherNode& own_load, bool takes_clients,
                 crypto::Random& random);
  // The URLs for a client that knows this server as `host`: those of this server, or of two nodes of a
  // cluster.
  IceUrls choose_urls(const std::string& host) const;
  // The iceServers of an RTCConfiguration (urls, username, credential): first STUN, then TURN by udp, tcp and
  // tls.
  boost::json::array entries(const std::string& host, const IceCredentials& credentials) const;
  // The URLs of this server alone (RFC 7064 and RFC 7065).
  std::vector<std::string> stun_urls(const std::string& host) const;
  std::vector<std::string> turn_urls(const std::string& host) const;

  Duration lifetime() const { return params_.lifetime; }

 private:
  std::vector<std::string> urls(const std::string& host, std::string_view plain, std::string_view secure,
                                bool with_transport) const;
  std::optional<std::string> authority(const IceParams::Listener& listener, const std::string& host) const;

  IceParams params_;
  std::string name_secret_;  // empty: the secret of the credentials
  crypto::Digester digester_;
  struct Cluster {
    std::vector<OtherNode> others;
    OtherNode own;  // without URLs, which depend on the client
    bool takes_clients = true;
    crypto::Random* random = nullptr;
  };
  std::optional<Cluster> cluster_;  // empty when no other node is known
};

// RFC 3339, in UTC, to the second: "2026-11-20T13:45:00Z".
std::string to_rfc3339(WallTime time);

}  // namespace turnpike::signaling
