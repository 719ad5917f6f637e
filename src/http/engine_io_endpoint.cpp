#include "http/engine_io_endpoint.hpp"

#include <utility>

#include "http/bearer.hpp"
#include "http/cost.hpp"
#include "http/deadline.hpp"
#include "net/asio_types.hpp"
#include "turnpike/signaling/close_code.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
using signaling::EngineIoError;

constexpr std::string_view kVersion = "4";

// Returns whether the client uses `forceBase64`.
bool takes_text_only(const Request& request) { return !request.query("b64").value_or("").empty(); }

// The session that a request is for. As in the protocol's own server, an empty id is none.
std::optional<std::string> session_of(const Request& request) {
  std::optional<std::string> sid = request.query("sid");
  if (sid && sid->empty()) sid.reset();
  return sid;
}

signaling::EngineIo::Opening opening_of(const Request& request) {
  return {.address = request.client,
          .host = std::string(request.host),
          .token = std::string(bearer_token(request)),
          .base64 = takes_text_only(request)};
}

}  // namespace

// A request that waits for its answer. The timer never expires; cancelling it wakes the coroutine.
struct EngineIoEndpoint::Waiting {
  explicit Waiting(asio::io_context& io) : timer(io.get_executor(), net::Timer::time_point::max()) {}
  net::Timer timer;
  bool answered = false;
  unsigned status = 0;
  std::string body;
};

// A POST whose answer is not ready yet.
class EngineIoEndpoint::BegunPost {
 public:
  BegunPost(signaling::EngineIo& engine, std::string sid, signaling::RequestId number)
      : engine_(engine), sid_(std::move(sid)), number_(number) {}
  ~BegunPost() { engine_.end_post(sid_, number_); }
  BegunPost(const BegunPost&) = delete;
  BegunPost& operator=(const BegunPost&) = delete;

 private:
  signaling::EngineIo& engine_;
  std::string sid_;
  signaling::RequestId number_;
};

void EngineIoEndpoint::add_routes(Router& router, const std::string& path) {
  const auto handler = [this](const Request& request) { return serve(request); };
  router.add("GET", path, handler);
  router.add("POST", path, handler);
  router.add(std::string(Router::kAnyMethod), path, handler);  // the answer is the error of the protocol
  router.add_arrival(path, [this](const Request& request) { return arrive(request); });
  router.add_web_socket(path, *this);
}

// Two POSTs of a session at the same time would have no order, so the second one is refused.
Arrival EngineIoEndpoint::arrive(const Request& request) {
  const std::optional<std::string> sid = session_of(request);
  if (request.method != "POST" || !sid || !params_.origins.allows(request) || find_fault(request, "polling"))
    return {};
  const signaling::RequestId number = ++last_request_;
  if (params_.engine.begin_post(*sid, number, params_.clock(), output_)) {
    return {.refusal = {},
            .until_answered = std::make_shared<BegunPost>(params_.engine, *sid, number),
            .max_body = params_.engine.max_payload(*sid)};
  }
  params_.changed();
  return {.refusal = answer(request, 400, to_json(EngineIoError::bad_request)), .until_answered = {}};
}

// The fault of a request, if it has one. The checks are those of the protocol's own server, in its order: the
// version is asked of a handshake alone, since some clients name it only there.
std::optional<EngineIoError> EngineIoEndpoint::find_fault(const Request& request,
                                                          std::string_view transport) const {
  const std::optional<std::string> named = request.query("transport");
  if (named != "polling" && named != "websocket") return EngineIoError::transport_unknown;
  const std::optional<std::string> sid = session_of(request);
  if (sid && !params_.engine.is_known(*sid, params_.clock())) return EngineIoError::session_unknown;
  if (!sid && request.method != "GET") return EngineIoError::bad_handshake_method;
  const bool has_method = request.method == "GET" || request.method == "POST";
  if (!has_method || named != transport) return EngineIoError::bad_request;
  if (!sid && request.query("EIO") != kVersion) return EngineIoError::unsupported_version;
  return std::nullopt;
}

Response EngineIoEndpoint::answer(const Request& request, unsigned status, std::string body) const {
  Response response;
  response.status = status;
  response.set("Content-Type", status == 200 ? "text/plain; charset=UTF-8" : "application/json");
  response.set("Cache-Control", "no-store");
  if (status == 429) response.set("Retry-After", "10");
  response.body = std::move(body);
  params_.origins.add_headers(request, response);
  return response;
}

Response EngineIoEndpoint::forbid_origin(const Request& request) {
  return answer(request, 403, to_json(EngineIoError::forbidden));
}

Response EngineIoEndpoint::refuse_origin(const Request& request) {
  if (params_.refused) params_.refused(refused_origin(request));
  return forbid_origin(request);
}

// Delays the POST of a client that has caused too much cost. Returns false when it would have to wait too
// long. The wait also ends when the client disconnects.
Awaitable<bool> EngineIoEndpoint::wait_to_post(const Request& request) {
  const auto timer = std::make_shared<net::Timer>(io_.get_executor());
  const auto gone = std::make_shared<bool>(false);
  Duration left = kMaxRest;
  for (;;) {
    const Duration wait = params_.pace.rest_time(request.client, params_.clock().steady);
    if (wait == Duration::zero() || *gone) co_return true;
    if (wait > left) co_return false;
    left -= wait;
    timer->expires_after(wait);
    request.watch([timer, gone] {
      *gone = true;
      timer->cancel();
    });
    co_await timer->async_wait(net::kAsTuple);
  }
}

Awaitable<Response> EngineIoEndpoint::serve(const Request& request) {
  if (!params_.origins.allows(request)) co_return refuse_origin(request);
  if (const auto fault = find_fault(request, "polling")) {
    co_return answer(request, 400, to_json(*fault));
  }
  const std::optional<std::string> sid = session_of(request);
  if (request.method == "POST" && !co_await wait_to_post(request)) {
    if (params_.refused) {
      params_.refused({"rate-limited", "signaling.bytes_per_second_per_address", request.client});
    }
    params_.engine.on_post_refused(*sid, params_.clock(), output_);
    params_.changed();
    co_return answer(request, 429, R"({"code":3,"message":"Too many bytes from this address"})");
  }
  const signaling::RequestId number = ++last_request_;
  const auto waiting = std::make_shared<Waiting>(io_);
  waiting_.emplace(number, waiting);
  const TimePoint now = params_.clock();
  if (!sid) {
    params_.engine.open(number, opening_of(request), now, output_);
  } else if (request.method == "POST") {
    ++params_.messages;
    params_.engine.post(*sid, number, request.body, now, output_);
  } else {
    params_.engine.get(*sid, number, now, output_);
  }
  // A GET is charged later for the messages that it gets; it has not got any yet.
  params_.pace.charge(request.client, cost_of_message(request.body.size()) + params_.changed(), now.steady);
  if (!waiting->answered) {
    request.watch([this, number] {
      params_.engine.on_aborted(number, params_.clock(), output_);
      if (const auto gone = waiting_.find(number); gone != waiting_.end()) gone->second->timer.cancel();
      params_.changed();
    });
    co_await waiting->timer.async_wait(net::kAsTuple);
  }
  waiting_.erase(number);
  const unsigned status = waiting->answered ? waiting->status : 400;
  co_return answer(request, status, std::exchange(waiting->body, {}));
}

void EngineIoEndpoint::report_crowded(const IpAddress& address) const {
  if (params_.refused) params_.refused({"session", "signaling.connections_per_address", address});
}

std::optional<Response> EngineIoEndpoint::check(const Request& request) {
  if (const auto fault = find_fault(request, "websocket")) return answer(request, 400, to_json(*fault));
  if (!session_of(request) && params_.engine.is_full(request.client)) {
    report_crowded(request.client);
    return answer(request, 429, signaling::EngineIo::too_many_sessions());
  }
  return std::nullopt;
}

// A session may have begun before a reload that has lowered the limit.
std::uint32_t EngineIoEndpoint::max_message(const Request& request) {
  const std::optional<std::string> sid = session_of(request);
  return sid ? params_.engine.max_payload(*sid) : 0;
}

void EngineIoEndpoint::on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket,
                               const Request& request) {
  clients_.add(number, std::move(socket), request.client);
  const TimePoint now = params_.clock();
  if (const std::optional<std::string> sid = session_of(request)) {
    params_.engine.upgrade(*sid, number, takes_text_only(request), now, output_);
  } else {
    params_.engine.open_web_socket(number, opening_of(request), now, output_);
  }
  params_.changed();
}

void EngineIoEndpoint::on_message(std::uint64_t number, std::string_view message, bool binary) {
  ++params_.messages;
  const TimePoint now = params_.clock();
  params_.engine.on_frame(number, message, binary, now, output_);
  clients_.charge(number, cost_of_message(message.size()) + params_.changed(), now.steady);
}

void EngineIoEndpoint::on_sent(std::uint64_t number) {
  if (!clients_.find(number)) return;
  const TimePoint now = params_.clock();
  params_.engine.on_sent(number, now, output_);
  clients_.charge(number, params_.changed(), now.steady);
}

void EngineIoEndpoint::on_closed(std::uint64_t number, bool clean) {
  clients_.remove(number);
  params_.engine.on_web_socket_closed(number, clean, params_.clock(), output_);
  params_.changed();
}

std::uint64_t EngineIoEndpoint::flush() {
  std::uint64_t sent = 0;
  for (auto& answer : output_.answers) {
    const auto waiting = waiting_.find(answer.to);
    if (waiting == waiting_.end()) continue;
    sent += cost_of_message(answer.body.size());
    waiting->second->answered = true;
    waiting->second->status = answer.status;
    waiting->second->body = std::move(answer.body);
    waiting->second->timer.cancel();
  }
  for (const auto& frame : output_.frames) sent += clients_.send(frame.to, frame.data, frame.binary);
  for (const signaling::WebSocketId number : output_.asks_when_sent) {
    if (WebSocket* const socket = clients_.find(number))
      socket->when_sent([this, number] { on_sent(number); });
  }
  const std::uint16_t code = stopping_ ? signaling::kGoingAway : signaling::kNormalClosure;
  const std::string_view reason = stopping_ ? signaling::kRestarting : std::string_view{};
  for (const signaling::WebSocketId number : output_.closes) clients_.close(number, code, reason);
  for (const signaling::WebSocketId number : output_.closes_after_next) {
    if (WebSocket* const socket = clients_.find(number)) socket->close_after_next_message(code, reason);
  }
  for (const IpAddress& address : output_.crowded) report_crowded(address);
  for (const IpAddress& address : output_.slow) {
    if (params_.refused) params_.refused({"slow-reader", "signaling.max_waiting", address});
  }
  output_.clear();
  return sent;
}

}  // namespace turnpike::http
