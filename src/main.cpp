// The command line of the daemon. The exit code is 0 after a requested stop, and 1 when the daemon cannot
// start or the command line is wrong.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "daemon/program.hpp"

int main(int argc, char** argv) {
  using namespace turnpike;
  std::string file;
  std::vector<std::string> overrides;
  bool check = false;
  int reload = 0;

  CLI::App app("turnpike: a STUN and TURN relay for people on different networks.");
  auto* const config_option =
      app.add_option("--config", file, "The configuration file (YAML)")->type_name("FILE");
  auto* const set_option =
      app.add_option("--set", overrides, "Override one key of the configuration; may be repeated")
          ->type_name("KEY.PATH=VALUE")
          ->expected(1)
          ->take_all();
  auto* const check_option = app.add_flag("--check", check, "Check the configuration and exit");
  auto* const reload_option =
      app.add_option("--reload", reload, "Tell a running turnpike to reload, and report whether it succeeded")
          ->type_name("PID")
          ->excludes(config_option)
          ->excludes(set_option)
          ->excludes(check_option);
  app.set_version_flag("--version", "turnpike " TURNPIKE_VERSION);
  try {
    app.parse(argc, argv);
    if (config_option->empty() && reload_option->empty()) throw CLI::RequiredError(config_option->get_name());
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;  // CLI11 has an exit code for each kind of mistake
  }

  if (!reload_option->empty()) return daemon::reload(reload);
  const daemon::Source source{file, overrides};
  return check ? daemon::check(source) : daemon::serve(source);
}
