// The addresses of this machine: as they were at the start, and as they are now. While the daemon runs, this
// class follows their changes, if the machine allows it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>

#include "daemon/address_follower.hpp"
#include "net/address_watch.hpp"
#include "net/interfaces.hpp"

namespace turnpike::daemon {

class OwnAddresses {
 public:
  // Reads the addresses. Logs a warning when the machine does not allow a watch.
  OwnAddresses();

  const net::LocalAddresses& first() const { return first_; }
  const net::LocalAddresses& now() const { return now_; }

  // Calls `changed` on the thread of `io` each time when now() has changed. `io` must outlive this object.
  void follow(boost::asio::io_context& io, std::function<void()> changed);
  // Leaves the io_context without work of this object's.
  void stop();

 private:
  std::optional<net::AddressWatch> watch_;  // it began before the addresses were read
  const net::LocalAddresses first_;
  net::LocalAddresses now_;
  std::optional<AddressFollower> follower_;  // since follow()
};

}  // namespace turnpike::daemon
