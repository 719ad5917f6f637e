#include "turnpikectl/output.hpp"

#include <boost/json/serialize.hpp>
#include <iostream>

#include "turnpike/base/printable.hpp"

namespace turnpike::turnpikectl {

void say(std::string_view line) { std::cout << printable(line) << '\n'; }

void complain(std::string_view line) { std::cerr << printable(line) << '\n'; }

void say(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) say(line);
}

void say_json(const boost::json::value& value) {
  std::cout << printable_json(boost::json::serialize(value)) << '\n';
}

void report_failure(std::string_view code, std::string_view message, bool as_json) {
  if (as_json) return say_json({{"error", {{"code", code}, {"message", message}}}});
  complain("turnpikectl: " + std::string(message));
}

bool finish_output() { return std::cout.flush().good(); }

}  // namespace turnpike::turnpikectl
