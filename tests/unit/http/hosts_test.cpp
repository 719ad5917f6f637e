#include "http/hosts.hpp"

#include <catch2/catch.hpp>

namespace turnpike::http {
namespace {

TEST_CASE("what cannot be made to resolve to this machine is allowed, and so are names of our own",
          "[http]") {
  const Hosts hosts({"turn.example.org", "*.loca.lt"},
                    [](const std::string& name) { return name == "cert.example"; });
  for (const std::string_view host :
       {"", "localhost", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1", "192.0.2.1", "::1",
        "2001:db8::1", "turn.example.org", "Turn.Example.Org.", "blue-fish.loca.lt", "a.b.LOCA.lt",
        "cert.example"}) {
    CAPTURE(host);
    CHECK(hosts.allows(host));
  }
  for (const std::string_view host :
       {"evil.example", "loca.lt", "xloca.lt", "evil-localhost", "localhost.evil.example",
        "turn.example.org.evil.example", "x.turn.example.org", "127.0.0.1.evil.example"}) {
    CAPTURE(host);
    CHECK_FALSE(hosts.allows(host));
  }
}

TEST_CASE("without a certificate only what is listed counts", "[http]") {
  CHECK_FALSE(Hosts({}, {}).allows("turn.example.org"));
  CHECK(Hosts({}, {}).allows("localhost"));
}

}  // namespace
}  // namespace turnpike::http
