// Serves a folder of the operator instead of the call page (signaling.root). No path can reach a file outside
// the folder, because the kernel enforces that (openat2).
#pragma once

#include <string>

#include "http/message.hpp"

namespace turnpike::http {

class StaticFiles {
 public:
  // Throws std::runtime_error with a message for the operator when the folder cannot be read.
  explicit StaticFiles(const std::string& folder);

  // For "/" and for folders, this serves the index.html in them.
  Response serve(const Request& request) const;

 private:
  net::Fd open(const std::string& path) const;

  net::Fd folder_;
};

}  // namespace turnpike::http
