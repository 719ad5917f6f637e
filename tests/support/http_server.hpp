// An HTTP server on a free port of loopback. What does not end by itself when the server stops is closed
// after a millisecond.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "http/server.hpp"
#include "net/fd.hpp"
#include "support/tls_probe.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::test {

class HttpServer : public http::Server {
 public:
  // Both references must outlive this object.
  HttpServer(boost::asio::io_context& io, const http::Router& router)
      : Server(io, params(), nullptr, router) {
    start();
  }
  net::Fd connect() const { return connect_to(endpoints().front()); }

 private:
  static http::Params params() {
    http::Params params;
    params.listeners = {{false, {IpAddress::v4(0x7f000001), 0}}};
    params.deadlines.closing = std::chrono::milliseconds(1);
    return params;
  }
};

}  // namespace turnpike::test
