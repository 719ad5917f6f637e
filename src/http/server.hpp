// The HTTP server: listeners, one coroutine for each connection, limits and deadlines, and the upgrade to
// WebSocket. It belongs to one thread, which runs the io_context that it is given.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "http/counters.hpp"
#include "http/hosts.hpp"
#include "http/origins.hpp"
#include "http/params.hpp"
#include "http/proxies.hpp"
#include "http/router.hpp"
#include "net/accepted_connection.hpp"
#include "turnpike/base/source_counter.hpp"

namespace turnpike::http {

class Server {
 public:
  // Opens every listener, and throws std::runtime_error with a message for the operator when one cannot be.
  // `tls` is null where no listener is secure. All references outlive the server.
  Server(boost::asio::io_context& io, const Params& params, const net::CurrentTls* tls, const Router& router);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // In the order of the listeners, with the ports that were really taken.
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  const Counters& counters() const { return counters_; }

  void start();
  // From now on these parameters hold, but for the listeners, which stay. On the server's thread.
  void use(const Params& params);
  // A connection that was accepted elsewhere. On the server's thread.
  void adopt(net::Fd connection, net::AcceptedConnection arrival);
  // Takes no more connections and says goodbye to WebSockets. When all are gone, at the latest after
  // Deadlines::closing, the server leaves the io_context without work.
  void stop();

 private:
  class Connection;
  struct Acceptor;

  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

  Awaitable<void> accept(Acceptor& acceptor);
  void serve(Socket socket, net::AcceptedConnection arrival);
  bool admit(const IpAddress& source);
  void tell_refused(std::string_view what, std::string_view key, const IpAddress& client,
                    std::string_view detail = {}) const;
  void remove(std::uint64_t number);

  boost::asio::io_context& io_;
  Params params_;
  Proxies proxies_;
  Origins origins_;
  Hosts hosts_;
  const net::CurrentTls* tls_;
  const Router& router_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<Endpoint> endpoints_;
  SourceCounter connections_from_;
  std::map<std::uint64_t, Connection*> connections_;  // that are being served
  std::uint64_t last_number_ = 0;
  std::uint32_t being_refused_ = 0;
  bool stopping_ = false;
  boost::asio::steady_timer patience_;
  Counters counters_;
};

}  // namespace turnpike::http
