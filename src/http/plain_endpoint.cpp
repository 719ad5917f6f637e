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
  clients_.emplace(number, Client{std::move(socket), request.client});
  params_.plain.on_open(number,
                        {.address = request.client,
                         .host = std::string(request.host),
                         .token = std::string(bearer_token(request))},
                        params_.clock());
  params_.changed();
}

void PlainEndpoint::on_message(std::uint64_t number, std::string_view message, bool binary) {
  ++params_.messages;
  const Client& client = clients_.at(number);
  if (binary) return client.socket->close(signaling::kUnsupportedData, "this protocol is text");
  const IpAddress address = client.address;
  const TimePoint now = params_.clock();
  params_.plain.on_text(number, message, now, output_);
  params_.pace.charge(address, cost_of_message(message.size()) + params_.changed(), now.steady);
}

void PlainEndpoint::on_control(std::uint64_t number, std::size_t size) {
  params_.pace.charge(clients_.at(number).address, cost_of_control(size), params_.clock().steady);
}

Duration PlainEndpoint::rest_time(std::uint64_t number) {
  return params_.pace.rest_time(clients_.at(number).address, params_.clock().steady);
}

void PlainEndpoint::on_closed(std::uint64_t number, bool clean) {
  clients_.erase(number);
  params_.plain.on_closed(number, clean, params_.clock(), output_);
  params_.changed();
}

std::uint64_t PlainEndpoint::flush() {
  std::uint64_t sent = 0;
  for (const auto& send : output_.sends) {
    const auto client = clients_.find(send.to);
    if (client == clients_.end()) continue;
    sent += cost_of_message(send.text->size());
    client->second.socket->send(send.text, false);
  }
  for (const auto& close : output_.closes) {
    const auto client = clients_.find(close.to);
    if (client != clients_.end()) client->second.socket->close(close.code, close.reason);
  }
  output_.clear();
  return sent;
}

void PlainEndpoint::stop() const {
  for (const auto& [number, client] : clients_)
    client.socket->close(signaling::kGoingAway, signaling::kRestarting);
}

}  // namespace turnpike::http
