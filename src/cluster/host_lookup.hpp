// Looks a host up on a thread of its own. The resolver of the C library cannot be cancelled, and takes half a
// minute when no DNS server answers, so nobody waits for that thread.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/asio_types.hpp"

namespace turnpike::cluster {

using Addresses = std::vector<boost::asio::generic::stream_protocol::endpoint>;

// Belongs to the thread of the timer. The thread of the lookup shares the ownership, since it may end last.
class HostLookup : public std::enable_shared_from_this<HostLookup> {
 public:
  // `done` is cancelled when there is a result, unless abandon() was called before. It must live until then.
  explicit HostLookup(net::Timer& done) : done_(&done) {}

  // Throws std::system_error when no thread can be started.
  void start(const std::string& host, std::uint16_t port);

  void abandon();

  // Call this after `done` was cancelled. Without addresses, `why` says why there are none.
  Addresses take(std::string& why);

 private:
  void look_up(const std::string& host, const std::string& port);
  void finish(std::string why, Addresses addresses);

  std::mutex mutex_;
  net::Timer* done_;  // null when nobody waits any more
  std::string why_;
  Addresses addresses_;
};

}  // namespace turnpike::cluster
