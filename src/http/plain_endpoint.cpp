#include "http/plain_endpoint.hpp"

#include "http/bearer.hpp"
#include "http/cost.hpp"
#include "turnpike/signaling/close_code.hpp"

namespace turnpike::http {

void PlainEndpoint::add_routes(Router& router, const std::string& path) {
  router.add_web_socket(path, *this);
  router.add("GET", path,
             at_once([](const Request&) { return upgrade_required("this path is for WebSockets"); }));
}

void PlainEndpoint::on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) {
  clients_.add(number, std::move(socket), request.client);
  params_.plain.on_open(number,
                        {.address = request.client,
                         .host = std::string(request.host),
                         .token = std::string(bearer_token(request))},
                        params_.clock());
  params_.changed();
}

void PlainEndpoint::on_message(std::uint64_t number, std::string_view message, bool binary) {
  ++params_.messages;
  if (binary) return clients_.close(number, signaling::kUnsupportedData, signaling::kTextOnly);
  const TimePoint now = params_.clock();
  params_.plain.on_text(number, message, now, output_);
  clients_.charge(number, cost_of_message(message.size()) + params_.changed(), now.steady);
}

void PlainEndpoint::on_closed(std::uint64_t number, bool clean) {
  clients_.remove(number);
  params_.plain.on_closed(number, clean, params_.clock(), output_);
  params_.changed();
}

std::uint64_t PlainEndpoint::flush() {
  std::uint64_t sent = 0;
  for (const auto& send : output_.sends) sent += clients_.send(send.to, send.text, false);
  for (const auto& close : output_.closes) clients_.close(close.to, close.code, close.reason);
  output_.clear();
  return sent;
}

void PlainEndpoint::stop() const { clients_.close_all(signaling::kGoingAway, signaling::kRestarting); }

}  // namespace turnpike::http
