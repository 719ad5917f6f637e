// Serves a folder of the operator instead of the call page (signaling.root). No path can reach a file outside
// the folder, because the kernel enforces that (openat2). The folder may be replaced at any time, or be a
// link that is moved: each request finds it anew.
#pragma once

#include <functional>
#include <string>

#include "http/message.hpp"

namespace turnpike::http {

class StaticFiles {
 public:
  using Warn = std::function<void(const std::string& line)>;

  // Throws std::runtime_error with a message for the operator when the folder cannot be read. When that
  // happens later, `warn` is told once, until the folder can be read again; it may be empty.
  explicit StaticFiles(std::string folder, Warn warn = {});

  // For "/" and for folders, this serves the index.html in them.
  Response serve(const Request& request);

 private:
  net::Fd open(const std::string& path);

  std::string folder_;
  Warn warn_;
  bool is_lost_ = false;  // the last request has not found the folder
};

}  // namespace turnpike::http
