// The signaling endpoint as a part of the daemon: the HTTP server and the site it serves, on a thread of
// their own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "config/config.hpp"
#include "http/server.hpp"
#include "http/signaling_site.hpp"
#include "net/system_random.hpp"
#include "turnpike/signaling/ice_servers.hpp"

namespace turnpike::server {

class SignalingThread {
 public:
  // Opens the listeners and says where. `relay` are the listeners that clients are told of. Throws
  // std::exception with a message for the operator.
  SignalingThread(const config::Config& config, std::vector<signaling::IceParams::Listener> relay);
  ~SignalingThread();
  SignalingThread(const SignalingThread&) = delete;
  SignalingThread& operator=(const SignalingThread&) = delete;

  void start();
  // Says goodbye to whoever is connected and joins the thread, within seconds.
  void stop();

  // To be read after stop().
  const http::Counters& counters() const { return server_.counters(); }

 private:
  boost::asio::io_context io_{1};
  net::SystemRandom random_;
  std::optional<boost::asio::ssl::context> tls_;
  http::SignalingSite site_;
  http::Router router_;
  http::Server server_;
  std::thread thread_;
};

}  // namespace turnpike::server
