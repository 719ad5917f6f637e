// The HTTP server: listeners, one coroutine for each connection, limits and deadlines, and the upgrade to
// WebSocket. It belongs to the thread that runs its io_context.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "http/counters.hpp"
#include "http/date.hpp"
#include "http/deadline.hpp"
#include "http/hosts.hpp"
#include "http/origins.hpp"
#include "http/params.hpp"
#include "http/proxies.hpp"
#include "http/refused.hpp"
#include "http/router.hpp"
#include "net/accepted_connection.hpp"
#include "turnpike/base/source_counter.hpp"

namespace turnpike::http {

class Server {
 public:
  // Opens all listeners. Throws std::runtime_error with a message for the operator when it cannot open one.
  // `tls` may be null when no listener is secure. All references must outlive the server.
  Server(boost::asio::io_context& io, const Params& params, const net::CurrentTls* tls, const Router& router);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // In the order of the listeners, with the ports that the kernel has chosen.
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  const Counters& counters() const { return counters_; }
  // Open connections. From any thread.
  std::uint64_t open_connections() const { return open_connections_; }

  void start();
  // Changes all parameters except the listeners. Call it on the server's thread.
  void use(const Params& params);
  // Serves a connection that another component has accepted. Call it on the server's thread.
  void adopt(net::Fd connection, net::AcceptedConnection arrival);
  // Accepts no more connections, closes WebSockets and answers the requests that have come. When all
  // connections have ended, or after Deadlines::closing, no work of the server is left in the io_context.
  void stop();

 private:
  class Connection;
  struct Acceptor;

  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, net::Executor>;

  Awaitable<void> accept(Acceptor& acceptor);
  void serve(Socket socket, net::AcceptedConnection arrival);
  bool admit(const IpAddress& source);
  bool admit_handshake(const IpAddress& source);
  void report_refused(const Refused& refused) const;
  void add(std::uint64_t number, Connection& connection);
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
  std::map<std::uint64_t, Connection*> connections_;  // open connections, by number
  Counter open_connections_;                          // their number
  std::uint64_t last_number_ = 0;
  std::uint32_t being_refused_ = 0;
  bool stopping_ = false;
  net::Timer patience_;
  Date date_;
  Counters counters_;
};

}  // namespace turnpike::http
