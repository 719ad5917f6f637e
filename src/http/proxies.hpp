// Who a request is from when it came through a proxy, a tunnel or a load balancer. Only from addresses that
// the operator trusts is X-Forwarded-For believed, and only as far as the chain of trusted ones goes.
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
  // `peer` is the other end of the connection, `forwarded_for` the header's value.
  IpAddress client(const IpAddress& peer, std::string_view forwarded_for) const;

 private:
  std::vector<Prefix> trusted_;
};

}  // namespace turnpike::http
