// The site of the admin listener: health and metrics for machines, a status page for people, and the commands
// of turnpikectl under /v1/.
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
  // The service must outlive the site. `clock` is read to check the expiry of tokens.
  Site(Service& service, std::vector<std::string> token_secrets, std::function<TimePoint()> clock);

  // Changes the secrets.
  void use(std::vector<std::string> token_secrets);
  // Call it once. The site must outlive the router.
  void add_routes(http::Router& router);

 private:
  using Action = http::Awaitable<http::Response> (Site::*)(const http::Request&);

  // Adds a path under /v1/. It is for clients of a unix socket, and for those with a token. All answers are
  // JSON, those to other methods as well.
  void add_control(http::Router& router, const std::string& path,
                   std::initializer_list<std::pair<const char*, Action>> actions);
  void add_guarded(http::Router& router, std::string_view method, const std::string& path,
                   http::Handler handler);
  std::optional<http::Response> find_refusal(const http::Request& request);

  http::Awaitable<http::Response> status(const http::Request& request);
  http::Awaitable<http::Response> allocations(const http::Request& request);
  http::Awaitable<http::Response> kill(const http::Request& request);
  http::Awaitable<http::Response> drain(const http::Request& request);
  http::Awaitable<http::Response> reload(const http::Request& request);
  http::Awaitable<http::Response> set_log_level(const http::Request& request);
  http::Awaitable<http::Response> nodes(const http::Request& request);
  http::Awaitable<http::Response> end_user(const http::Request& request);
  // users.cpp
  http::Awaitable<http::Response> list_users(const http::Request& request);
  http::Awaitable<http::Response> add_users(const http::Request& request);
  http::Awaitable<http::Response> change_user(const http::Request& request);
  http::Awaitable<http::Response> remove_user(const http::Request& request);
  http::Awaitable<http::Response> revoke(const http::Request& request);

  Service& service_;
  bool has_tokens_;
  signaling::TokenVerifier tokens_;
  std::function<TimePoint()> clock_;
};

}  // namespace turnpike::admin
