// Reports that this machine's interfaces, addresses or routes may have changed, by rtnetlink(7). It does not
// report what has changed; the caller has to read the addresses again.
#pragma once

#include "net/fd.hpp"

namespace turnpike::net {

class AddressWatch {
 public:
  // Starts to watch. Throws std::system_error.
  AddressWatch();

  // The descriptor is readable when something may have changed.
  int fd() const { return socket_.get(); }
  // Acknowledges all changes so far. Read the addresses after this call, so that no change is missed.
  void drain();

 private:
  Fd socket_;
};

}  // namespace turnpike::net
