// Queries SRV (RFC 2782) and NAPTR (RFC 3403) records at the DNS servers of this machine. The C library
// parses the answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::stunclient {

struct Srv {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;  // "." means that the service does not exist
};

struct Naptr {
  std::uint16_t order = 0;
  std::uint16_t preference = 0;
  std::string flags;
  std::string services;
  std::string regexp;
  std::string replacement;
};

// These block for a few seconds at most when no server answers, and then throw std::runtime_error. A name
// without such records returns an empty list.
std::vector<Srv> find_srv(const std::string& name);
std::vector<Naptr> find_naptr(const std::string& name);

}  // namespace turnpike::stunclient
