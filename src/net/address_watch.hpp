// Tells that this machine's interfaces, addresses or routes may have changed, by rtnetlink(7). What has
// changed it does not tell: whoever wants to know looks again.
#pragma once

#include "net/fd.hpp"

namespace turnpike::net {

class AddressWatch {
 public:
  // Watches from now on. Throws std::system_error.
  AddressWatch();

  // Readable when something may have changed.
  int fd() const { return socket_.get(); }
  // Takes note of it. Whoever looks after this misses nothing that came before.
  void drain();

 private:
  Fd socket_;
};

}  // namespace turnpike::net
