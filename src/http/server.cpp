#include "http/server.hpp"

#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <new>
#include <stdexcept>

#include "http/asio_endpoint.hpp"
#include "http/connection.hpp"
#include "http/deadline.hpp"
#include "net/asio_types.hpp"
#include "net/descriptor_reserve.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

constexpr std::chrono::milliseconds kOutOfDescriptors{100};

IpAddress from_asio(const asio::ip::address& address) {
  return address.is_v4() ? IpAddress::v4(address.to_v4().to_bytes())
                         : IpAddress::v6(address.to_v6().to_bytes());
}

std::vector<std::string> with(std::vector<std::string> hosts, const std::string& own) {
  if (!own.empty()) hosts.push_back(own);
  return hosts;
}

}  // namespace

struct Server::Acceptor {
  asio::basic_socket_acceptor<tcp, net::Executor> socket;
  bool secure;
};

Server::Server(asio::io_context& io, const Params& params, const net::CurrentTls* tls, const Router& router)
    : io_(io),
      params_(params),
      proxies_(params.trusted_proxies),
      origins_(params.cors, params.public_host),
      hosts_(with(params.hosts, params.public_host), params.is_certified),
      tls_(tls),
      router_(router),
      connections_from_(params.limits.connections_per_address),
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
      throw std::runtime_error(std::string(params_.listen_key) + ": cannot listen on " +
                               (listener.secure ? "https://" : "http://") + listener.endpoint.to_string() +
                               ": " + error.message());
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
    try {
      auto [error, socket] = co_await acceptor.socket.async_accept(io_.get_executor(), net::kAsTuple);
      if (stopping_) co_return;
      if (!error && params_.is_for_strangers && net::is_reserved(socket.native_handle())) {
        socket.close(error);
        error = asio::error::no_descriptors;
      }
      if (error) {
        // Most likely there is no free descriptor until another connection ends. Without a pause, this would
        // be a busy loop.
        net::Timer timer(io_.get_executor(), kOutOfDescriptors);
        co_await timer.async_wait(net::kAsTuple);
        continue;
      }
      boost::system::error_code gone;
      const tcp::endpoint peer = socket.remote_endpoint(gone);
      if (gone) continue;
      socket.set_option(tcp::no_delay(true), gone);
      serve(std::move(socket), {.peer = from_asio(peer.address()), .secure = acceptor.secure});
    } catch (const std::bad_alloc&) {
      ++counters_.refused;  // this connection is lost; the next one may find memory
    }
  }
}

void Server::use(const Params& params) {
  std::vector<Listener> listeners = std::move(params_.listeners);
  params_ = params;
  params_.listeners = std::move(listeners);
  proxies_ = Proxies(params.trusted_proxies);
  origins_ = Origins(params.cors, params.public_host);
  hosts_ = Hosts(with(params.hosts, params.public_host), params.is_certified);
  connections_from_.set_limit(params.limits.connections_per_address);
}

// A connection for which there is no memory is refused.
void Server::serve(Socket socket, net::AcceptedConnection arrival) {
  try {
    asio::co_spawn(io_, Connection::serve(*this, std::move(socket), std::move(arrival)), asio::detached);
  } catch (const std::bad_alloc&) {
    ++counters_.refused;
  }
}

void Server::adopt(net::Fd connection, net::AcceptedConnection arrival) {
  if (stopping_) return;
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(connection.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return;
  Socket socket(io_.get_executor());
  boost::system::error_code error;
  socket.assign(domain == AF_INET ? tcp::v4() : tcp::v6(), connection.get(), error);
  if (error) return;
  connection.release();
  serve(std::move(socket), std::move(arrival));
}

// Returns whether a connection may be accepted. A connection from a trusted proxy is not counted here,
// because each of its requests is counted for the client that it names.
bool Server::admit(const IpAddress& source) {
  const std::uint32_t most = params_.limits.connections;
  const bool full = most != 0 && connections_.size() >= most;
  if (!full && (proxies_.is_trusted(source) || connections_from_.take(source))) return true;
  ++counters_.refused;
  report_refused(
      {"connection", full ? "signaling.connections" : "signaling.connections_per_address", source});
  return false;
}

// A handshake costs a signature, whoever asks for it. A trusted proxy brings many clients.
bool Server::admit_handshake(const IpAddress& source) {
  if (!params_.admit_handshake || proxies_.is_trusted(source) || params_.admit_handshake(source)) return true;
  report_refused({"handshake", "limits.unauthenticated_per_second", source});
  return false;
}

void Server::report_refused(const Refused& refused) const {
  if (params_.refused) params_.refused(refused);
}

void Server::add(std::uint64_t number, Connection& connection) {
  connections_.emplace(number, &connection);
  open_connections_ = connections_.size();
}

void Server::remove(std::uint64_t number) {
  connections_.erase(number);
  open_connections_ = connections_.size();
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
