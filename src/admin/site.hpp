// What the admin listener serves: health and metrics for machines, a status page for people, and under /v1/
// the control commands of turnpikectl.
#pragma once

#include <string>
#include <vector>

#include "admin/service.hpp"
#include "http/router.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/token.hpp"

namespace turnpike::admin {

class Site {
 public:
  // The service outlives the site. `clock` is read for the expiry of tokens.
  Site(Service& service, std::vector<std::string> token_secrets, std::function<TimePoint()> clock);

  // From now on these secrets hold.
  void use(std::vector<std::string> token_secrets);
  // To be called once; the router must not outlive the site.
  void add_routes(http::Router& router);

 private:
  using Action = http::Awaitable<http::Response> (Site::*)(const http::Request&);

  // Adds a path under /v1/, which is for those who come by a unix socket or bring a token.
  void add_control(http::Router& router, std::string method, std::string path, Action action);
  std::optional<http::Response> find_refusal(const http::Request& request);

  http::Awaitable<http::Response> status(const http::Request& request);
  http::Awaitable<http::Response> allocations(const http::Request& request);
  http::Awaitable<http::Response> kill(const http::Request& request);
  http::Awaitable<http::Response> drain(const http::Request& request);
  http::Awaitable<http::Response> reload(const http::Request& request);
  http::Awaitable<http::Response> set_log_level(const http::Request& request);

  Service& service_;
  bool has_tokens_;
  signaling::TokenVerifier tokens_;
  std::function<TimePoint()> clock_;
};

}  // namespace turnpike::admin
