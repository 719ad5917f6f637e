#include "http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

#include "http/connection.hpp"
#include "http/deadline.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

constexpr auto kToken = asio::experimental::as_tuple(asio::use_awaitable_t<Executor>());
constexpr std::chrono::milliseconds kOutOfDescriptors{100};

tcp::endpoint to_asio(const Endpoint& endpoint) {
  const Bytes bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    asio::ip::address_v4::bytes_type v4;
    std::copy(bytes.begin(), bytes.end(), v4.begin());
    return {asio::ip::address_v4(v4), endpoint.port};
  }
  asio::ip::address_v6::bytes_type v6;
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return {asio::ip::address_v6(v6, endpoint.scope), endpoint.port};
}

IpAddress from_asio(const asio::ip::address& address) {
  return address.is_v4() ? IpAddress::v4(address.to_v4().to_bytes())
                         : IpAddress::v6(address.to_v6().to_bytes());
}

}  // namespace

struct Server::Acceptor {
  asio::basic_socket_acceptor<tcp, Executor> socket;
  bool secure;
};

Server::Server(asio::io_context& io, const Params& params, asio::ssl::context* tls, const Router& router)
    : io_(io),
      params_(params),
      proxies_(params.trusted_proxies),
      origins_(params.cors),
      tls_(tls),
      router_(router),
      patience_(io) {
  for (const Listener& listener : params_.listeners) {
    const tcp::endpoint at = to_asio(listener.endpoint);
    auto acceptor = std::make_unique<Acceptor>(Acceptor{{io_, at.protocol()}, listener.secure});
    boost::system::error_code error;
    acceptor->socket.set_option(asio::socket_base::reuse_address(true));
    if (at.protocol() == tcp::v6()) acceptor->socket.set_option(asio::ip::v6_only(true));
    acceptor->socket.bind(at, error);
    if (!error) acceptor->socket.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      throw std::runtime_error(std::string("cannot listen on ") + (listener.secure ? "https://" : "http://") +
                               listener.endpoint.to_string() + ": " + error.message());
    }
    endpoints_.push_back(listener.endpoint);
    endpoints_.back().port = acceptor->socket.local_endpoint().port();
    acceptors_.push_back(std::move(acceptor));
  }
}

Server::~Server() = default;

void Server::start() {
  for (const auto& acceptor : acceptors_) asio::co_spawn(io_, accept(*acceptor), asio::detached);
}

Awaitable<void> Server::accept(Acceptor& acceptor) {
  while (!stopping_) {
    auto [error, socket] = co_await acceptor.socket.async_accept(io_.get_executor(), kToken);
    if (stopping_) co_return;
    if (error) {
      // Out of descriptors, most likely: whoever ends a connection frees one. To accept again at once would
      // spin.
      Timer timer(io_.get_executor(), kOutOfDescriptors);
      co_await timer.async_wait(kToken);
      continue;
    }
    boost::system::error_code gone;
    const tcp::endpoint peer = socket.remote_endpoint(gone);
    if (gone) continue;
    socket.set_option(tcp::no_delay(true), gone);
    asio::co_spawn(io_,
                   Connection::serve(*this, std::move(socket), from_asio(peer.address()), acceptor.secure),
                   asio::detached);
  }
}

bool Server::admit(const IpAddress& source) {
  std::uint32_t& held = connections_from_[source_block(source)];
  const Limits& limits = params_.limits;
  const bool full = limits.connections != 0 && connections_.size() >= limits.connections;
  if (full || (limits.connections_per_address != 0 && held >= limits.connections_per_address)) {
    ++counters_.refused;
    if (held == 0) connections_from_.erase(source_block(source));
    return false;
  }
  ++held;
  return true;
}

void Server::release(const IpAddress& source) {
  const auto held = connections_from_.find(source_block(source));
  if (--held->second == 0) connections_from_.erase(held);
}

void Server::remove(std::uint64_t number) {
  connections_.erase(number);
  if (stopping_ && connections_.empty()) patience_.cancel();
}

void Server::stop() {
  stopping_ = true;
  for (const auto& acceptor : acceptors_) acceptor->socket.close();
  if (connections_.empty()) return;
  patience_.expires_after(params_.deadlines.closing);
  patience_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (const auto& [number, connection] : connections_) connection->abort();
  });
  for (const auto& [number, connection] : connections_) connection->stop();
}

}  // namespace turnpike::http
