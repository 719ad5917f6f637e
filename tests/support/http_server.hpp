// An HTTP server on a free port of loopback. What does not end by itself when the server stops is closed
// after `closing`.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "http/server.hpp"
#include "net/fd.hpp"
#include "support/tls_probe.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::test {

class HttpServer : public http::Server {
 public:
  // Both references must outlive this object.
  HttpServer(boost::asio::io_context& io, const http::Router& router,
             Duration closing = std::chrono::milliseconds(1))
      : Server(io, params(closing), nullptr, router) {
    start();
  }
  net::Fd connect() const { return connect_to(endpoints().front()); }

 private:
  static http::Params params(Duration closing) {
    http::Params params;
    params.listeners = {{false, {IpAddress::v4(0x7f000001), 0}}};
    params.deadlines.closing = closing;
    return params;
  }
};

}  // namespace turnpike::test
