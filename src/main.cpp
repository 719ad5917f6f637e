// The command line of the daemon and its exit codes: 0 after a stop that was asked for, 1 when it cannot
// start.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "server/daemon.hpp"
#include "server/log.hpp"

int main(int argc, char** argv) {
  using namespace turnpike;
  std::string file;
  std::vector<std::string> overrides;
  bool check = false;

  CLI::App app("turnpike: a STUN and TURN relay for people on different networks.");
  app.add_option("--config", file, "The configuration, a YAML file")->required()->type_name("FILE");
  app.add_option("--set", overrides, "Override one key of it; may be repeated")
      ->type_name("KEY.PATH=VALUE")
      ->expected(1)
      ->take_all();
  app.add_flag("--check", check, "Only say whether the configuration is valid");
  app.set_version_flag("--version", "turnpike " TURNPIKE_VERSION);
  CLI11_PARSE(app, argc, argv);

  auto config = config::load(file, overrides);
  if (!config) {
    for (const auto& error : config.error()) std::cerr << to_string(error) << '\n';
    return 1;
  }

  try {
    server::add_missing_secret(*config);
    auth::CredentialStore credentials = server::make_credentials(config->auth);
    auto tls = server::Certificates::load(config->tls);
    if (check) return 0;
    const server::LogScope log(config->log);
    server::Daemon(*config, std::move(credentials), std::move(tls)).run();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "turnpike: " << error.what() << '\n';
    return 1;
  }
}
