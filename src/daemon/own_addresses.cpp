#include "daemon/own_addresses.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <system_error>

namespace turnpike::daemon {
namespace {

std::optional<net::AddressWatch> watch_addresses() {
  try {
    return net::AddressWatch();
  } catch (const std::system_error& error) {
    spdlog::warn(fmt::format("changes of this machine's addresses will not be noticed: {}", error.what()));
    return std::nullopt;
  }
}

}  // namespace

OwnAddresses::OwnAddresses() : watch_(watch_addresses()), first_(net::local_addresses()), now_(first_) {}

void OwnAddresses::follow(boost::asio::io_context& io, std::function<void()> changed) {
  if (!watch_) return;
  follower_.emplace(io, *watch_, first_,
                    [this, changed = std::move(changed)](const net::LocalAddresses& now) {
                      now_ = now;
                      changed();
                    });
}

void OwnAddresses::stop() {
  if (follower_) follower_->stop();
}

}  // namespace turnpike::daemon
