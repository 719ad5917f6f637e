#include "relay/leaving_peers.hpp"

namespace turnpike::relay {

LeavingPeers::Place::Place(LeavingPeers& all, int fd) : all_(all), fd_(fd), ends_(net::connection_ends(fd)) {
  if (!ends_) return;  // the peer has ended it already
  const std::lock_guard lock(all_.mutex_);
  all_.descriptors_.insert_or_assign(*ends_, fd_);
}

// The entry may belong to a later connection with the same addresses.
LeavingPeers::Place::~Place() {
  if (!ends_) return;
  const std::lock_guard lock(all_.mutex_);
  const auto found = all_.descriptors_.find(*ends_);
  if (found != all_.descriptors_.end() && found->second == fd_) all_.descriptors_.erase(found);
}

bool LeavingPeers::make_room(const net::ConnectionEnds& ends, bool may_reset) {
  const std::lock_guard lock(mutex_);
  const auto found = descriptors_.find(ends);
  if (found == descriptors_.end()) return true;
  if (!may_reset || !net::is_acknowledged(found->second)) return false;
  net::reset_connection(found->second);
  descriptors_.erase(found);
  return true;
}

}  // namespace turnpike::relay
