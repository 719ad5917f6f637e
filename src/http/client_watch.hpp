// Notices when a client goes away while its request waits for an answer.
#pragma once

#include <functional>
#include <memory>

#include "http/deadline.hpp"
#include "net/asio_types.hpp"

namespace turnpike::http {

// Belongs to one thread. The socket must outlive this object.
class ClientWatch {
 public:
  explicit ClientWatch(TcpSocket& socket) : socket_(socket), look_again_(socket.get_executor()) {}

  // Calls `gone` once, when the client has closed its direction, unless end() is called before. Nothing is
  // read from the socket.
  void begin(std::function<void()> gone);
  void end() { gone_.reset(); }
  // Calls `gone` now, if it was not called yet.
  void report_gone();

 private:
  void wait(const std::weak_ptr<std::function<void()>>& gone);

  TcpSocket& socket_;
  net::Timer look_again_;
  std::shared_ptr<std::function<void()>> gone_;  // null while nothing is watched
};

}  // namespace turnpike::http
