// Finds the client of a request that came through a proxy, a tunnel or a load balancer. X-Forwarded-For is
// believed only from addresses that the operator trusts, and only as far as the chain of trusted addresses
// reaches.
#pragma once

#include <string_view>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"

namespace turnpike::http {

class Proxies {
 public:
  explicit Proxies(std::vector<Prefix> trusted) : trusted_(std::move(trusted)) {}

  bool is_trusted(const IpAddress& address) const;
  // `peer` is the other end of the connection, `forwarded_for` the value of the header.
  IpAddress client(const IpAddress& peer, std::string_view forwarded_for) const;

 private:
  std::vector<Prefix> trusted_;
};

}  // namespace turnpike::http
