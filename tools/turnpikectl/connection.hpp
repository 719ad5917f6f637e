// The connection to a running daemon: HTTP over the unix socket of its admin listener.
#pragma once

#include <boost/json/value.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace turnpike::turnpikectl {

// Thrown when no daemon runs, or it does not answer. The text is for the operator.
class Unreachable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Answer {
  unsigned status = 0;
  boost::json::value body;

  bool ok() const { return status >= 200 && status < 300; }
  // The message of an error response, for people.
  std::string error() const;
};

class Connection {
 public:
  explicit Connection(std::string socket) : socket_(std::move(socket)) {}

  // Each call makes a new connection and takes at most ten seconds. Throws Unreachable.
  Answer get(std::string_view target) const { return call("GET", target, {}); }
  Answer post(std::string_view target, const boost::json::value& body) const {
    return call("POST", target, body);
  }
  Answer put(std::string_view target, const boost::json::value& body) const {
    return call("PUT", target, body);
  }
  Answer remove(std::string_view target) const { return call("DELETE", target, {}); }

 private:
  Answer call(std::string_view method, std::string_view target, const boost::json::value& body) const;

  std::string socket_;
};

}  // namespace turnpike::turnpikectl
