#include "http/engine_io_endpoint.hpp"

#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http/bearer.hpp"
#include "http/deadline.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
using signaling::EngineIoError;

constexpr auto kToken = asio::experimental::as_tuple(asio::use_awaitable_t<Executor>());
constexpr std::uint16_t kNormalClosure = 1000;  // RFC 6455 §7.4.1
constexpr std::string_view kVersion = "4";

// What a client with `forceBase64` asks for.
bool takes_text_only(const Request& request) { return !request.query("b64").value_or("").empty(); }

signaling::EngineIo::Opening opening_of(const Request& request) {
  return {.address = request.client,
          .host = std::string(request.host),
          .token = std::string(bearer_token(request)),
          .base64 = takes_text_only(request)};
}

}  // namespace

// The timer never expires: to cancel it is to wake whoever waits.
struct EngineIoEndpoint::Waiting {
  explicit Waiting(asio::io_context& io) : timer(io.get_executor(), Timer::time_point::max()) {}
  Timer timer;
  bool answered = false;
  unsigned status = 0;
  std::string body;
};

void EngineIoEndpoint::add_routes(Router& router, const std::string& path) {
  const auto handler = [this](const Request& request) { return serve(request); };
  router.add("GET", path, handler);
  router.add("POST", path, handler);
  router.add("PUT", path, handler);  // to be told off as the protocol has it
  router.add("DELETE", path, handler);
  router.add_web_socket(path, *this);
}

// What is wrong with a request, in the order in which it is told.
std::optional<EngineIoError> EngineIoEndpoint::find_fault(const Request& request,
                                                          std::string_view transport) const {
  if (request.query("transport") != transport) return EngineIoError::transport_unknown;
  if (request.query("EIO") != kVersion) return EngineIoError::unsupported_version;
  const bool has_session = request.query("sid").has_value();
  if (!has_session && request.method != "GET") return EngineIoError::bad_handshake_method;
  if (request.method != "GET" && request.method != "POST") return EngineIoError::bad_request;
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

Awaitable<Response> EngineIoEndpoint::serve(const Request& request) {
  if (!params_.origins.allow(request)) co_return error_response(403, "this origin is not allowed here");
  if (const auto fault = find_fault(request, "polling")) {
    co_return answer(request, 400, to_json(*fault));
  }
  const signaling::RequestId number = ++last_request_;
  const auto waiting = std::make_shared<Waiting>(io_);
  waiting_.emplace(number, waiting);
  const std::optional<std::string> sid = request.query("sid");
  const TimePoint now = params_.clock();
  if (!sid) {
    params_.engine.open(number, opening_of(request), now, output_);
  } else if (request.method == "POST") {
    params_.engine.post(*sid, number, request.body, now, output_);
  } else {
    params_.engine.get(*sid, number, now, output_);
  }
  params_.changed();
  if (!waiting->answered) {
    request.watch([this, number] {
      params_.engine.on_aborted(number, params_.clock(), output_);
      if (const auto gone = waiting_.find(number); gone != waiting_.end()) gone->second->timer.cancel();
      params_.changed();
    });
    co_await waiting->timer.async_wait(kToken);
  }
  waiting_.erase(number);
  const unsigned status = waiting->answered ? waiting->status : 400;
  co_return answer(request, status, std::move(waiting->body));
}

std::optional<Response> EngineIoEndpoint::check(const Request& request) {
  if (const auto fault = find_fault(request, "websocket")) return answer(request, 400, to_json(*fault));
  const std::optional<std::string> sid = request.query("sid");
  if (sid && !params_.engine.is_known(*sid, params_.clock())) {
    return answer(request, 400, to_json(EngineIoError::session_unknown));
  }
  if (!sid && params_.engine.is_full(request.client)) {
    return answer(request, 429, signaling::EngineIo::too_many_sessions());
  }
  return std::nullopt;
}

void EngineIoEndpoint::on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket,
                               const Request& request) {
  wires_.emplace(number, std::move(socket));
  const TimePoint now = params_.clock();
  if (const std::optional<std::string> sid = request.query("sid")) {
    params_.engine.upgrade(*sid, number, takes_text_only(request), now, output_);
  } else {
    params_.engine.open_wire(number, opening_of(request), now, output_);
  }
  params_.changed();
}

void EngineIoEndpoint::on_message(std::uint64_t number, std::string_view message, bool binary) {
  params_.engine.on_frame(number, message, binary, params_.clock(), output_);
  params_.changed();
}

void EngineIoEndpoint::on_closed(std::uint64_t number, bool goodbye) {
  wires_.erase(number);
  params_.engine.on_wire_closed(number, goodbye, params_.clock(), output_);
  params_.changed();
}

void EngineIoEndpoint::flush() {
  for (auto& answer : output_.answers) {
    const auto waiting = waiting_.find(answer.to);
    if (waiting == waiting_.end()) continue;
    waiting->second->answered = true;
    waiting->second->status = answer.status;
    waiting->second->body = std::move(answer.body);
    waiting->second->timer.cancel();
  }
  for (const auto& frame : output_.frames) {
    if (const auto wire = wires_.find(frame.to); wire != wires_.end())
      wire->second->send(frame.data, frame.binary);
  }
  for (const signaling::WireId wire : output_.closes) {
    if (const auto open = wires_.find(wire); open != wires_.end()) open->second->close(kNormalClosure, "");
  }
  output_.clear();
}

}  // namespace turnpike::http
