// The command line of the daemon and its exit codes: 0 after a stop that was asked for, 1 when it cannot
// start.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "daemon/daemon.hpp"
#include "daemon/log.hpp"
#include "daemon/reload.hpp"
#include "turnpike/base/printable.hpp"

namespace {

// A line on stderr, in which texts of the configuration may be repeated.
void say(std::string_view line) { std::cerr << turnpike::printable(line) << '\n'; }

}  // namespace

int main(int argc, char** argv) {
  using namespace turnpike;
  std::string file;
  std::vector<std::string> overrides;
  bool check = false;
  int reload = 0;

  CLI::App app("turnpike: a STUN and TURN relay for people on different networks.");
  auto* const config_option =
      app.add_option("--config", file, "The configuration, a YAML file")->type_name("FILE");
  app.add_option("--set", overrides, "Override one key of it; may be repeated")
      ->type_name("KEY.PATH=VALUE")
      ->expected(1)
      ->take_all();
  app.add_flag("--check", check, "Only say whether the configuration is valid");
  auto* const reload_option =
      app.add_option("--reload", reload, "Have a running turnpike reload, and say whether that went well")
          ->type_name("PID")
          ->excludes(config_option);
  app.set_version_flag("--version", "turnpike " TURNPIKE_VERSION);
  CLI11_PARSE(app, argc, argv);
  if (config_option->empty() && reload_option->empty()) {
    return app.exit(CLI::RequiredError(config_option->get_name()));
  }

  if (!reload_option->empty()) {
    try {
      daemon::ask_for_reload(reload);
      return 0;
    } catch (const std::exception& error) {
      say(std::string("turnpike: ") + error.what());
      return 1;
    }
  }

  auto config = config::load(file, overrides);
  if (!config) {
    for (const auto& error : config.error()) say(to_string(error));
    return 1;
  }

  try {
    daemon::add_missing_secret(*config);
    auth::CredentialStore credentials = config::make_credentials(config->auth);
    auto tls = daemon::Certificates::load(config->tls, daemon::make_ticket_keys(config->cluster));
    if (check) {
      for (const std::string& warning : config->warnings) say("warning: " + warning);
      return 0;
    }
    daemon::hold_reload_signal();
    const daemon::LogScope log(config->log);
    daemon::Daemon({file, overrides}, std::move(*config), std::move(credentials), std::move(tls)).run();
    return 0;
  } catch (const std::exception& error) {
    say(std::string("turnpike: ") + error.what());
    return 1;
  }
}
