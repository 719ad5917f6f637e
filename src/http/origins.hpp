// Which web pages may use this server from a browser: its own, and those of an allow list (CORS, Fetch §3.2).
#pragma once

#include <string>
#include <vector>

#include "http/message.hpp"

namespace turnpike::http {

class Origins {
 public:
  // Origins as browsers write them: "https://admin.example.org".
  explicit Origins(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}

  // Whether the request comes from no page, from one of our own, or from one on the list.
  bool allow(const Request& request) const;
  // Lets a page that is on the list read the response.
  void add_headers(const Request& request, Response& response) const;
  // The answer to a preflight (OPTIONS).
  Response preflight(const Request& request) const;

 private:
  bool is_listed(std::string_view origin) const;

  std::vector<std::string> allowed_;
};

}  // namespace turnpike::http
