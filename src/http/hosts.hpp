// The hosts that a request may name, when access is open and the connection came to a loopback address. A
// foreign web page can make its own name resolve to 127.0.0.1 (DNS rebinding). To the browser, this server
// then has the page's own origin, and only the Host header shows the difference.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::http {

class Hosts {
 public:
  // `allowed` are names in any case, or "*.example.org" for all names below that one. `is_certified` says
  // whether one of our certificates has a name; it may be empty.
  Hosts(std::vector<std::string> allowed, std::function<bool(const std::string&)> is_certified)
      : allowed_(std::move(allowed)), is_certified_(std::move(is_certified)) {}

  // Whether a request may name `host`, which is without its port. localhost and IP addresses are always
  // allowed, since DNS cannot make them resolve to something else. An empty host is allowed, because browsers
  // always send one.
  bool allows(std::string_view host) const;

 private:
  std::vector<std::string> allowed_;
  std::function<bool(const std::string&)> is_certified_;
};

}  // namespace turnpike::http
