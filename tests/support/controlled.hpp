// A daemon with an admin socket, and turnpikectl to control it. Sources that include this need the definition
// TURNPIKECTL.
#pragma once

#include <stdlib.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "support/child.hpp"
#include "support/daemon.hpp"
#include "support/relay_client.hpp"
#include "support/temporary_folder.hpp"

namespace turnpike::test {

struct CommandOutcome {
  int code = 0;
  std::string text;
  boost::json::object json() const { return boost::json::parse(text).as_object(); }
};

// A daemon with an admin socket, and a configuration that the test can rewrite.
struct Controlled {
  explicit Controlled(std::vector<std::string> more = {}, const std::string& config = kLoopbackConfig,
                      const Child::Options& options = {})
      : daemon(with_socket(std::move(more)), config, options) {}

  std::vector<std::string> with_socket(std::vector<std::string> set) const {
    set.push_back("admin.listen=[\"unix:" + socket() + "\", \"http://127.0.0.1:0\"]");
    return set;
  }
  std::string socket() const { return folder / "admin.sock"; }

  CommandOutcome control(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "--json");
    return control_plainly(std::move(arguments));
  }
  // Returns what people see: stdout and stderr.
  CommandOutcome control_plainly(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {TURNPIKECTL, "--socket", socket()});
    Child child(std::move(arguments));
    const int code = child.wait();
    return {code, child.output()};
  }
  void write_config(const std::string& text) { std::ofstream(daemon.config_file()) << text; }

  RelayClient client(const std::string& user = "alice", const std::string& password = "secret") const {
    return RelayClient(daemon.listener(), {.credentials = client::Credentials{user, password}});
  }

  TemporaryFolder folder;
  Daemon daemon;
};

inline boost::json::array allocations(const Controlled& server, std::vector<std::string> options = {}) {
  options.insert(options.begin(), "allocations");
  const CommandOutcome outcome = server.control(options);
  REQUIRE(outcome.code == 0);
  return outcome.json().at("allocations").as_array();
}

}  // namespace turnpike::test
