// A listening unix socket. Its connections are passed to the HTTP server.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <string>

#include "http/deadline.hpp"
#include "net/fd.hpp"

namespace turnpike::admin {

class UnixListener {
 public:
  using Accepted = std::function<void(net::Fd)>;

  // Replaces a socket file on which no process listens. The new file has mode 0660, so that its owner and its
  // group can open it. Throws std::runtime_error with a message for the operator.
  UnixListener(boost::asio::io_context& io, const std::string& path, Accepted accepted);
  // Removes the socket file.
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  void start() { accept(); }
  // Ends this object's work in the io_context.
  void stop();

 private:
  void accept();

  std::string path_;
  boost::asio::basic_socket_acceptor<boost::asio::local::stream_protocol, net::Executor> acceptor_;
  net::Timer pause_;
  Accepted accepted_;
  bool stopping_ = false;
};

}  // namespace turnpike::admin
