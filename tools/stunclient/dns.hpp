// SRV (RFC 2782) and NAPTR (RFC 3403) records, asked of the servers that this machine is configured with.
// Parsing is the C library's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::stunclient {

struct Srv {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;  // "." says that the service is not there
};

struct Naptr {
  std::uint16_t order = 0;
  std::uint16_t preference = 0;
  std::string flags;
  std::string services;
  std::string regexp;
  std::string replacement;
};

// Blocks for a few seconds at most where no server answers; throws std::runtime_error then. A name without
// such a record gives none.
std::vector<Srv> find_srv(const std::string& name);
std::vector<Naptr> find_naptr(const std::string& name);

}  // namespace turnpike::stunclient
