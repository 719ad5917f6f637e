#include "daemon/own_names.hpp"

#include <catch2/catch.hpp>

namespace turnpike::daemon {
namespace {

config::SignalingParams params(std::string public_host, std::vector<std::string> hosts = {}) {
  config::SignalingParams signaling;
  signaling.public_host = std::move(public_host);
  signaling.hosts = std::move(hosts);
  return signaling;
}

TEST_CASE("names of signaling are ours, and so are localhost and addresses", "[own_names]") {
  OwnNames names(params("turn.example.org", {"*.loca.lt"}), nullptr);
  for (const char* name :
       {"turn.example.org", "TURN.example.org.", "a.loca.lt", "localhost", "192.0.2.1", "2001:db8::1"}) {
    CAPTURE(name);
    CHECK(names.has(name));
  }
  for (const char* name : {"www.example.org", "example.org", "loca.lt", "turn.example.org.evil.example"}) {
    CAPTURE(name);
    CHECK_FALSE(names.has(name));
  }
  names.use(params("other.example.org"));
  CHECK(names.has("other.example.org"));
  CHECK_FALSE(names.has("turn.example.org"));
}

}  // namespace
}  // namespace turnpike::daemon
