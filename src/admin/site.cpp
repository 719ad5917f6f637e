#include "admin/site.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "admin/json.hpp"
#include "http/bearer.hpp"
#include "http/call_page.hpp"
#include "net/asio_types.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/base/printable.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::admin {
namespace {

namespace json = boost::json;
using http::Awaitable;
using http::Request;
using http::Response;

constexpr std::string_view kAudience = "turnpike-admin";
constexpr std::string_view kAllocations = "/v1/allocations/";
constexpr std::chrono::hours kMaxDeadline{24};
constexpr std::size_t kBetweenPauses = 64;  // allocations of a list, which take less than a millisecond

// Writes "0-17": the number of the worker, and of the allocation on that worker.
std::string id_of(const AllocationOf& one) {
  return std::to_string(one.worker) + '-' + std::to_string(one.allocation.number);
}

struct ParsedId {
  unsigned worker = 0;
  std::uint64_t number = 0;
};
std::optional<ParsedId> parse_id(std::string_view text) {
  ParsedId id;
  const char* const end = text.data() + text.size();
  const auto worker = std::from_chars(text.data(), end, id.worker);
  if (worker.ec != std::errc() || worker.ptr == end || *worker.ptr != '-') return std::nullopt;
  const auto number = std::from_chars(worker.ptr + 1, end, id.number);
  if (number.ec != std::errc() || number.ptr != end) return std::nullopt;
  return id;
}

// Returns the user name in a form that JSON allows. The owner of a secret may sign credentials with any
// octets as a name.
std::string user_of(const turn::AllocationInfo& allocation) {
  return is_utf8(allocation.username) ? allocation.username : printable(allocation.username);
}

json::object to_json(const AllocationOf& one) {
  const turn::AllocationInfo& allocation = one.allocation;
  json::array relayed;
  for (const Endpoint& endpoint : allocation.relayed) relayed.emplace_back(endpoint.to_string());
  return {{"id", id_of(one)},
          {"user", user_of(allocation)},
          {"client", allocation.tuple.client.to_string()},
          {"transport", to_string(allocation.tuple.transport)},
          {"relayed", std::move(relayed)},
          {"peers", allocation.permissions},
          {"channels", allocation.channels},
          {"connections", allocation.connections},
          {"age_s", allocation.age.count()},
          {"expires_in_s", allocation.expires_in.count()},
          {"rx_packets", allocation.rx_packets},
          {"rx_bytes", allocation.rx_bytes},
          {"tx_packets", allocation.tx_packets},
          {"tx_bytes", allocation.tx_bytes},
          {"dropped_packets", allocation.dropped_packets}};
}

json::array to_json(const std::vector<AllocationOf>& allocations) {
  json::array list;
  list.reserve(allocations.size());
  for (const AllocationOf& one : allocations) list.emplace_back(to_json(one));
  return list;
}

json::array to_json(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

// Lets the thread do what has come for it meanwhile, so that a health check never waits behind a long answer.
Awaitable<void> let_others_go() { co_await boost::asio::post(boost::asio::use_awaitable_t<net::Executor>()); }

// Reads a whole number from 0 to `max`. Returns false when the member is something else.
bool read_number(const json::object& body, std::string_view name, std::uint64_t max,
                 std::optional<std::uint64_t>& out) {
  const json::value* value = body.if_contains(name);
  if (!value) return true;
  boost::system::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  if (error || number > max) return false;
  out = number;
  return true;
}

}  // namespace

Site::Site(Service& service, std::vector<std::string> token_secrets, std::function<TimePoint()> clock)
    : service_(service),
      has_tokens_(!token_secrets.empty()),
      tokens_(std::move(token_secrets), std::string(kAudience)),
      clock_(std::move(clock)) {}

void Site::use(std::vector<std::string> token_secrets) {
  has_tokens_ = !token_secrets.empty();
  tokens_.set_secrets(std::move(token_secrets));
}

void Site::add_routes(http::Router& router) {
  router.add("GET", "/healthz", [](const Request&) -> Awaitable<Response> {
    co_return Response{.status = 200,
                       .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                       .body = std::string_view("alive\n")};
  });
  router.add("GET", "/readyz", [this](const Request&) -> Awaitable<Response> {
    const bool ready = service_.is_ready();
    co_return Response{
        .status = ready ? 200U : 503U,
        .headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}},
        .body = std::string_view(ready ? "ready\n" : "draining\n")};
  });
  router.add("GET", "/metrics", [this](const Request&) -> Awaitable<Response> {
    Response response;
    response.set("Content-Type", std::string(kPrometheusType));
    response.set("Cache-Control", "no-store");
    response.body = to_prometheus(service_.metrics());
    co_return response;
  });
  for (const char* path : {"/", "/status.css", "/status.mjs"}) {
    router.add("GET", path,
               [](const Request& request) -> Awaitable<Response> { co_return http::status_page(request); });
  }
  // These are the numbers of the status page. They contain nothing about a single user, so they need no
  // token.
  router.add("GET", "/status.json",
             [this](const Request&) -> Awaitable<Response> { co_return json_answer(service_.status()); });
  router.set_fallback([](const Request&) -> Awaitable<Response> {
    co_return http::error_response(404, "the admin listener has /, /healthz, /readyz, /metrics and /v1/");
  });
  add_control(router, "/v1/status", {{"GET", &Site::status}});
  add_control(router, "/v1/allocations", {{"GET", &Site::allocations}});
  for (const char* ids : {"", "*"})
    add_control(router, std::string(kAllocations) + ids, {{"DELETE", &Site::kill}});
  add_control(router, "/v1/drain", {{"POST", &Site::drain}});
  add_control(router, "/v1/reload", {{"POST", &Site::reload}});
  add_control(router, "/v1/loglevel", {{"POST", &Site::set_log_level}});
  add_control(router, "/v1/nodes", {{"GET", &Site::nodes}});
  add_control(router, "/v1/kill", {{"POST", &Site::end_user}});
  add_control(router, "/v1/users",
              {{"GET", &Site::list_users},
               {"POST", &Site::add_users},
               {"PUT", &Site::change_user},
               {"DELETE", &Site::remove_user}});
  add_control(router, "/v1/revoke", {{"POST", &Site::revoke}});
  for (const char* others : {"/v1/", "/v1/*"}) {
    add_guarded(router, http::Router::kAnyMethod, others, [](const Request&) -> Awaitable<Response> {
      co_return json_error(404, "no-such-path", "There is no such command.");
    });
  }
}

void Site::add_control(http::Router& router, const std::string& path,
                       std::initializer_list<std::pair<const char*, Action>> actions) {
  std::string allowed;
  for (const auto& [method, action] : actions) {
    add_guarded(router, method, path,
                [this, action = action](const Request& request) { return (this->*action)(request); });
    allowed.append(allowed.empty() ? "" : ", ").append(method);
    if (std::string_view(method) == "GET") allowed.append(", HEAD");
  }
  add_guarded(router, http::Router::kAnyMethod, path, [allowed](const Request&) -> Awaitable<Response> {
    Response response = json_error(405, "method-not-allowed", "This path takes " + allowed + ".");
    response.set("Allow", allowed);
    co_return response;
  });
}

void Site::add_guarded(http::Router& router, std::string_view method, const std::string& path,
                       http::Handler handler) {
  router.add(std::string(method), path,
             [this, handler = std::move(handler)](const Request& request) -> Awaitable<Response> {
               if (auto refusal = find_refusal(request)) co_return std::move(*refusal);
               co_return co_await handler(request);
             });
}

std::optional<Response> Site::find_refusal(const Request& request) {
  if (request.by_unix_socket) return std::nullopt;
  if (!has_tokens_) {
    return json_error(403, "unix-socket-only",
                      "Without admin.token_secrets, /v1/ is served on the unix socket alone.");
  }
  const auto grant = tokens_.verify(http::bearer_token(request), clock_().wall);
  if (grant) return std::nullopt;
  service_.on_refused({"token", "admin.token_secrets", request.client});
  Response response = json_error(401, code_of(grant.error()), message_of(grant.error()));
  response.set("WWW-Authenticate", "Bearer");
  return response;
}

Awaitable<Response> Site::status(const Request&) { co_return json_answer(service_.status()); }

Awaitable<Response> Site::allocations(const Request& request) {
  if (auto refusal = find_unknown_parameter(request, {"user", "address"})) co_return std::move(*refusal);
  AllocationList answered = co_await service_.allocations();
  std::vector<AllocationOf>& all = answered.allocations;
  if (const auto user = request.query("user")) {
    std::erase_if(all,
                  [&](const AllocationOf& one) { return !auth::is_name_of(one.allocation.username, *user); });
  }
  if (const auto text = request.query("address")) {
    const auto address = IpAddress::parse(*text);
    if (!address) co_return json_error(400, "bad-address", "address is no IP address.");
    std::erase_if(all,
                  [&](const AllocationOf& one) { return one.allocation.tuple.client.address != *address; });
  }
  std::string text = R"({"allocations":[)";
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i != 0) text.push_back(',');
    text.append(json::serialize(to_json(all[i])));
    if ((i + 1) % kBetweenPauses == 0) co_await let_others_go();
  }
  text.append(R"(],"complete":)").append(answered.complete ? "true" : "false").append("}\n");
  co_return http::json_response(std::move(text));
}

Awaitable<Response> Site::kill(const Request& request) {
  const std::string text = request.path.substr(kAllocations.size());
  const std::optional<ParsedId> id = parse_id(text);
  if (!id || !co_await service_.kill(id->worker, id->number)) {
    co_return json_error(404, "no-such-allocation", "There is no allocation of this id.");
  }
  co_return json_answer({{"ended", text}});
}

Awaitable<Response> Site::drain(const Request& request) {
  json::object body;
  if (const auto fault = read_body(request, {"deadline_s", "until"}, body))
    co_return json_error(400, "bad-body", *fault);
  std::optional<std::uint64_t> deadline;
  std::optional<std::uint64_t> until;
  const auto max = static_cast<std::uint64_t>(std::chrono::seconds(kMaxDeadline).count());
  if (!read_number(body, "deadline_s", max, deadline)) {
    co_return json_error(400, "bad-deadline", "deadline_s is a whole number of seconds, at most a day.");
  }
  if (!read_number(body, "until", UINT32_MAX, until)) {
    co_return json_error(400, "bad-until", "until is a number of allocations.");
  }
  DrainOptions options;
  if (deadline) options.deadline = std::chrono::seconds(*deadline);
  if (until) options.until = static_cast<std::uint32_t>(*until);
  service_.drain(options);
  co_return json_answer({{"draining", true}}, 202);
}

Awaitable<Response> Site::reload(const Request& request) {
  json::object body;
  if (const auto fault = read_body(request, {"dry_run"}, body)) co_return json_error(400, "bad-body", *fault);
  const json::value* dry = body.if_contains("dry_run");
  if (dry && !dry->is_bool()) co_return json_error(400, "bad-body", "dry_run is true or false.");
  const ReloadReport report = co_await service_.reload(dry && dry->get_bool());
  co_return json_answer({{"ok", report.ok},
                         {"errors", to_json(report.errors)},
                         {"changed", to_json(report.changed)},
                         {"needs_restart", to_json(report.needs_restart)},
                         {"sessions_ended", report.ended_count},
                         {"sessions", to_json(report.ended)}},
                        report.ok ? 200 : 422);
}

Awaitable<Response> Site::set_log_level(const Request& request) {
  json::object body;
  if (const auto fault = read_body(request, {"level"}, body)) co_return json_error(400, "bad-body", *fault);
  const json::value* level = body.if_contains("level");
  const bool set = level && level->is_string() &&
                   service_.set_log_level({level->get_string().data(), level->get_string().size()});
  if (!set) co_return json_error(400, "bad-level", "level is debug, info, warning or error.");
  co_return json_answer({{"level", *level}});
}

Awaitable<Response> Site::nodes(const Request&) { co_return json_answer({{"nodes", service_.nodes()}}); }

Awaitable<Response> Site::end_user(const Request& request) {
  json::object body;
  if (const auto fault = read_body(request, {"user"}, body)) co_return json_error(400, "bad-body", *fault);
  const json::value* user = body.if_contains("user");
  const auto* name = user ? user->if_string() : nullptr;
  if (!name || name->empty() || name->size() > auth::kMaxReceivedUsername) {
    co_return json_error(400, "bad-user", "user is the name of a user.");
  }
  json::object answer = co_await service_.end_user(std::string(name->data(), name->size()));
  answer["user"] = *user;
  co_return json_answer(std::move(answer), 202);
}

}  // namespace turnpike::admin
