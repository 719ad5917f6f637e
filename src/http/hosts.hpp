// Which hosts a request may ask for where everybody may come in and the connection came to a loopback
// address. A web page from elsewhere can have its own name resolve to 127.0.0.1 (DNS rebinding); to the
// browser this server is then of the page's own origin, and only the Host still tells.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::http {

class Hosts {
 public:
  // `allowed` are names, in any case, or "*.example.org" for all names below that one. `is_certified` says
  // whether a certificate of ours has a name; it may be empty.
  Hosts(std::vector<std::string> allowed, std::function<bool(const std::string&)> is_certified)
      : allowed_(std::move(allowed)), is_certified_(std::move(is_certified)) {}

  // `host` is without its port. localhost and addresses cannot be made to resolve to something else, and a
  // client that names no host is no browser.
  bool allow(std::string_view host) const;

 private:
  std::vector<std::string> allowed_;
  std::function<bool(const std::string&)> is_certified_;
};

}  // namespace turnpike::http
