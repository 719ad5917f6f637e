// The command line of turnpikectl, which shows and controls a running daemon through its admin socket.
#include <CLI/CLI.hpp>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "config/text.hpp"
#include "turnpikectl/commands.hpp"
#include "turnpikectl/coturn.hpp"
#include "turnpikectl/output.hpp"
#include "turnpikectl/users.hpp"

namespace {

using namespace turnpike;
using namespace turnpike::turnpikectl;

constexpr const char* kSocket = "/run/turnpike/admin.sock";
constexpr const char* kConfig = "/etc/turnpike/turnpike.yaml";

// Adds an option with a duration, such as "90s", "10m" or "1h", which is stored in whole seconds, rounded up.
CLI::Option* add_duration(CLI::App& app, const char* name, std::optional<std::chrono::seconds>& out,
                          const char* help, std::chrono::seconds at_least = {}) {
  return app
      .add_option_function<std::string>(
          name,
          [name, &out, at_least](const std::string& text) {
            const auto duration = config::parse_duration(text);
            if (!duration) throw CLI::ValidationError(name, "expected a time such as 90s, 10m or 1h");
            out = std::chrono::ceil<std::chrono::seconds>(*duration);
            if (*out < at_least) throw CLI::ValidationError(name, "expected 1s or more");
          },
          help)
      ->type_name("TIME");
}

// Requires exactly one of two options. An option group of CLI11 can do that too, but its --help does not show
// the positional one in the usage.
class OneOf {
 public:
  OneOf(CLI::Option* first, CLI::Option* second) : first_(first), second_(second) { first->excludes(second); }

  // Throws CLI::RequiredError when neither option is present.
  void require() const {
    if (first_->empty() && second_->empty())
      throw CLI::RequiredError(first_->get_name() + " or " + second_->get_name());
  }

 private:
  const CLI::Option* first_;
  const CLI::Option* second_;
};

// Prints the help or the version, or what is wrong. The message may repeat an argument.
int explain(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() != 0) {
    // When a command is missing, CLI11 does not say what stands in its place.
    const std::vector<std::string> unknown = app.remaining();
    if (app.get_subcommands().empty() && !unknown.empty()) {
      complain((unknown.front().starts_with('-') ? "There is no option " : "There is no command ") +
               unknown.front());
    } else {
      complain(error.what());
    }
    complain("Run with --help for more information.");
    return kRefused;
  }
  std::stringstream help;
  app.exit(error, help, help);
  for (std::string line; std::getline(help, line);) say(line);
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("turnpikectl: shows and controls a running turnpike.");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer("Exit code 0: done. 1: refused, or wrong input. 2: no daemon answers at the socket.");
  std::string socket = kSocket;
  bool json = false;
  app.add_option("--socket", socket, "The admin socket of the daemon")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_flag("--json", json, "Print JSON, for scripts");
  app.set_version_flag("--version", "turnpikectl " TURNPIKE_VERSION);
  int code = kDone;
  const auto on = [&](CLI::App* command, auto&& act) {
    command->callback([&, act] { code = act(Connection(socket)); });
  };

  on(app.add_subcommand("status", "What the daemon does, and how much of its limits is used"),
     [&](const Connection& daemon) { return show_status(daemon, json); });

  AllocationsOptions allocations;
  std::string sort = "age";
  auto* list = app.add_subcommand("allocations",
                                  "List the allocations: their clients, their age and the amount of data");
  list->add_option("--user", allocations.user, "Only the allocations of this user name");
  list->add_option("--address", allocations.address, "Only the allocations of clients at this address");
  list->add_option("--sort", sort, "age: the oldest first; rate: the busiest first")
      ->check(CLI::IsMember({"age", "rate"}));
  list->add_flag("--watch", allocations.watch, "Show it again each second, until q is pressed");
  on(list, [&](const Connection& daemon) {
    allocations.by_rate = sort == "rate";
    return list_allocations(daemon, allocations, json);
  });

  std::string id;
  auto* kill = app.add_subcommand("kill", "End an allocation at once");
  std::string killed_user;
  const OneOf which(
      kill->add_option("ID", id, "As `turnpikectl allocations` shows it"),
      kill->add_option("--user", killed_user, "All allocations of this user, on all nodes of a cluster"));
  on(kill, [&](const Connection& daemon) {
    which.require();
    return killed_user.empty() ? kill_allocation(daemon, id, json) : kill_user(daemon, killed_user, json);
  });

  on(app.add_subcommand("nodes", "The nodes of the cluster, and how full they are"),
     [&](const Connection& daemon) { return list_nodes(daemon, json); });

  std::optional<std::chrono::seconds> deadline;
  std::uint32_t until = 0;
  auto* draining = app.add_subcommand("drain", "Refuse new clients, let calls end, and stop");
  add_duration(*draining, "--deadline", deadline,
               "The longest time until the daemon stops (default: shutdown.deadline)");
  draining->add_option("--until", until, "Stop when only this many allocations are left (default: 0)");
  on(draining, [&](const Connection& daemon) { return drain(daemon, deadline, until, json); });

  bool dry_run = false;
  auto* reloading = app.add_subcommand("reload", "Read the configuration file again");
  reloading->add_flag("--dry-run", dry_run, "Only show what would change");
  on(reloading, [&](const Connection& daemon) { return reload(daemon, dry_run, json); });

  std::string level;
  auto* leveling = app.add_subcommand("loglevel", "Change how much is logged, without a reload");
  leveling->add_option("LEVEL", level, "Lines of this level, and of more important ones, are written")
      ->required()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  on(leveling, [&](const Connection& daemon) { return set_log_level(daemon, level, json); });

  CredentialsOptions credentials{.name = {}, .config_file = kConfig, .host = {}};
  std::optional<std::chrono::seconds> ttl;
  auto* minting =
      app.add_subcommand("credentials", "Make time-limited credentials and the iceServers entry for them");
  minting->add_option("NAME", credentials.name, "The user name whose limits apply to them")->required();
  add_duration(*minting, "--ttl", ttl, "How long they are valid (default: 1h)", std::chrono::seconds(1));
  minting->add_option("--host", credentials.host,
                      "The host in the entry (default: that of the configuration)");
  minting->add_option("--config", credentials.config_file, "The configuration with the auth.secrets to use")
      ->capture_default_str()
      ->type_name("FILE");
  on(minting, [&](const Connection&) {
    if (ttl) credentials.ttl = *ttl;
    return mint_credentials(credentials, json);
  });

  UserOptions user;
  auto* of_users = app.add_subcommand("user", "The users of auth.database, who change while the daemon runs");
  of_users->require_subcommand(1);
  const auto add_user_command = [&](const char* name, const char* help) {
    auto* command = of_users->add_subcommand(name, help);
    command->add_option("NAME", user.name, "The name of the user")->required();
    return command;
  };
  const auto add_password_command = [&](const char* name, const char* help) {
    auto* command = add_user_command(name, help);
    command->add_flag("--generate", user.generate, "Generate the password and print it");
    return command;
  };
  on(add_password_command("add", "Add a user; the password is asked for, or read from standard input"),
     [&](const Connection& daemon) { return add_user(daemon, user, json); });
  on(of_users->add_subcommand("list", "List the users"),
     [&](const Connection& daemon) { return list_users(daemon, json); });
  on(add_password_command("passwd", "Give a user another password; allocations made with the old one end"),
     [&](const Connection& daemon) { return change_password(daemon, user, json); });
  on(add_user_command("remove", "Remove a user, on all nodes of a cluster; the allocations of the user end"),
     [&](const Connection& daemon) { return remove_user(daemon, user.name, json); });

  std::string token_id;
  std::string subject;
  std::optional<std::chrono::seconds> revoked_for;
  auto* revoking = app.add_subcommand("revoke",
                                      "Refuse a token of signaling before it expires, disconnect the clients "
                                      "that used it, and end their allocations");
  const OneOf revoked(
      revoking->add_option("TOKEN_ID", token_id, "The `jti` of the token"),
      revoking->add_option("--subject", subject, "All tokens of this `sub` that were issued until now"));
  add_duration(*revoking, "--for", revoked_for,
               "How long to refuse it, at least as long as tokens are valid (default: 720h)");
  on(revoking, [&](const Connection& daemon) {
    revoked.require();
    return revoke(daemon, subject.empty() ? token_id : subject, !subject.empty(), revoked_for, json);
  });

  std::string imported;
  auto* importing = app.add_subcommand("import", "Import the configuration or the users of another server");
  importing->require_subcommand(1);
  auto* coturn = importing->add_subcommand(
      "coturn", "Print a turnserver.conf as a configuration, or add the users of coturn's SQLite database");
  coturn->add_option("FILE", imported, "The turnserver.conf, or the database")->required();
  on(coturn, [&](const Connection& daemon) { return import_coturn(daemon, imported, json); });

  std::string file = kConfig;
  auto* checking = app.add_subcommand("check", "Check a configuration");
  checking->add_option("FILE", file, "The configuration")->capture_default_str();
  on(checking, [&](const Connection&) { return check(file, json); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain(app, error);
  } catch (const Unreachable& error) {
    report_failure("unreachable", error.what(), json);
    code = kUnreachable;
  } catch (const std::exception& error) {
    report_failure("failed", error.what(), json);
    code = kRefused;
  }
  if (finish_output()) return code;
  complain("turnpikectl: the output could not be written");
  return kRefused;
}
