// Calls a function on the main thread when the addresses of this machine have changed, for example after a
// new DHCP lease or a new IPv6 prefix.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>

#include "net/address_watch.hpp"
#include "net/asio_types.hpp"
#include "net/interfaces.hpp"

namespace turnpike::daemon {

class AddressFollower {
 public:
  using OnChange = std::function<void(const net::LocalAddresses& now)>;

  // `known` are the addresses read since the watch began. `on_change` is called on the thread of `control`;
  // the log tells of the change afterwards. Both references outlive this.
  AddressFollower(boost::asio::io_context& control, net::AddressWatch& watch, net::LocalAddresses known,
                  OnChange on_change);
  ~AddressFollower();
  AddressFollower(const AddressFollower&) = delete;
  AddressFollower& operator=(const AddressFollower&) = delete;

  // Ends the work of this object in `control`.
  void stop();

 private:
  void wait();
  void check_soon();
  bool check();
  std::optional<net::LocalAddresses> read();

  net::AddressWatch& watch_;
  net::LocalAddresses known_;
  OnChange on_change_;
  net::StreamDescriptor descriptor_;  // the watch's own
  net::Timer timer_;
  bool failed_ = false;
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
