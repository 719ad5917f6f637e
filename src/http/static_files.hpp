// A folder of the operator's own, served instead of the call page (signaling.root). Whatever a path says,
// nothing outside the folder is opened: the kernel itself refuses to leave it.
#pragma once

#include <string>

#include "http/message.hpp"

namespace turnpike::http {

class StaticFiles {
 public:
  // Throws std::runtime_error with a message for the operator when it is no folder that can be read.
  explicit StaticFiles(const std::string& folder);

  // "/" and folders stand for the index.html in them.
  Response serve(const Request& request) const;

 private:
  net::Fd open(const std::string& path) const;

  net::Fd folder_;
};

}  // namespace turnpike::http
