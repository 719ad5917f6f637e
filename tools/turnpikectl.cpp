// The command line of turnpikectl, which shows and controls a running daemon through its admin socket.
#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
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

// The commands and their options. A command is carried out while the command line is parsed; its callback
// owns the values of its options.
class Program {
 public:
  Program();
  // Carries out the command and returns the exit code.
  int run(int argc, char** argv);

 private:
  using Seconds = std::optional<std::chrono::seconds>;

  void on(CLI::App* command, std::function<int(const Connection&)> act);
  void add_status();
  void add_allocations();
  void add_kill();
  void add_nodes();
  void add_drain();
  void add_reload();
  void add_log_level();
  void add_credentials();
  void add_users();
  void add_revoke();
  void add_import();
  void add_check();

  CLI::App app_{"turnpikectl: shows and controls a running turnpike."};
  std::string socket_ = kSocket;
  bool json_ = false;
  int code_ = kDone;
};

Program::Program() {
  app_.require_subcommand(1);
  app_.fallthrough();
  app_.footer("Exit code 0: done. 1: refused, or wrong input. 2: no daemon answers at the socket.");
  app_.add_option("--socket", socket_, "The admin socket of the daemon")
      ->capture_default_str()
      ->type_name("PATH");
  app_.add_flag("--json", json_, "Print JSON, for scripts");
  app_.set_version_flag("--version", "turnpikectl " TURNPIKE_VERSION);
  // --help lists them in this order.
  add_status();
  add_allocations();
  add_kill();
  add_nodes();
  add_drain();
  add_reload();
  add_log_level();
  add_credentials();
  add_users();
  add_revoke();
  add_import();
  add_check();
}

int Program::run(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain(app_, error);
  } catch (const Unreachable& error) {
    report_failure("unreachable", error.what(), json_);
    code_ = kUnreachable;
  } catch (const std::exception& error) {
    report_failure("failed", error.what(), json_);
    code_ = kRefused;
  }
  if (finish_output()) return code_;
  complain("turnpikectl: the output could not be written");
  return kRefused;
}

void Program::on(CLI::App* command, std::function<int(const Connection&)> act) {
  command->callback([this, act = std::move(act)] { code_ = act(Connection(socket_)); });
}

void Program::add_status() {
  on(app_.add_subcommand("status", "What the daemon does, and how much of its limits is used"),
     [this](const Connection& daemon) { return show_status(daemon, json_); });
}

void Program::add_allocations() {
  struct Options {
    AllocationsOptions list;
    std::string sort = "age";
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app_.add_subcommand(
      "allocations", "List the allocations: their clients, their age and the amount of data");
  command->add_option("--user", options->list.user, "Only the allocations of this user name");
  command->add_option("--address", options->list.address, "Only the allocations of clients at this address");
  command->add_option("--sort", options->sort, "age: the oldest first; rate: the busiest first")
      ->check(CLI::IsMember({"age", "rate"}));
  command->add_flag("--watch", options->list.watch, "Show it again each second, until q is pressed");
  on(command, [this, options](const Connection& daemon) {
    options->list.by_rate = options->sort == "rate";
    return list_allocations(daemon, options->list, json_);
  });
}

void Program::add_kill() {
  struct Options {
    std::string id;
    std::string user;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app_.add_subcommand("kill", "End an allocation at once");
  const OneOf which(command->add_option("ID", options->id, "As `turnpikectl allocations` shows it"),
                    command->add_option("--user", options->user,
                                        "All allocations of this user, on all nodes of a cluster"));
  on(command, [this, options, which](const Connection& daemon) {
    which.require();
    return options->user.empty() ? kill_allocation(daemon, options->id, json_)
                                 : kill_user(daemon, options->user, json_);
  });
}

void Program::add_nodes() {
  on(app_.add_subcommand("nodes", "The nodes of the cluster, and how full they are"),
     [this](const Connection& daemon) { return list_nodes(daemon, json_); });
}

void Program::add_drain() {
  struct Options {
    Seconds deadline;
    std::uint32_t until = 0;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app_.add_subcommand("drain", "Refuse new clients, let calls end, and stop");
  add_duration(*command, "--deadline", options->deadline,
               "The longest time until the daemon stops (default: shutdown.deadline)");
  command->add_option("--until", options->until,
                      "Stop when only this many allocations are left (default: 0)");
  on(command, [this, options](const Connection& daemon) {
    return drain(daemon, options->deadline, options->until, json_);
  });
}

void Program::add_reload() {
  const auto dry_run = std::make_shared<bool>(false);
  CLI::App* const command = app_.add_subcommand("reload", "Read the configuration file again");
  command->add_flag("--dry-run", *dry_run, "Only show what would change");
  on(command, [this, dry_run](const Connection& daemon) { return reload(daemon, *dry_run, json_); });
}

void Program::add_log_level() {
  const auto level = std::make_shared<std::string>();
  CLI::App* const command = app_.add_subcommand("loglevel", "Change how much is logged, without a reload");
  command->add_option("LEVEL", *level, "Lines of this level, and of more important ones, are written")
      ->required()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  on(command, [this, level](const Connection& daemon) { return set_log_level(daemon, *level, json_); });
}

void Program::add_credentials() {
  struct Options {
    CredentialsOptions mint{.name = {}, .config_file = kConfig, .host = {}};
    Seconds ttl;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command =
      app_.add_subcommand("credentials", "Make time-limited credentials and the iceServers entry for them");
  command->add_option("NAME", options->mint.name, "The user name whose limits apply to them")->required();
  add_duration(*command, "--ttl", options->ttl, "How long they are valid (default: 1h)",
               std::chrono::seconds(1));
  command->add_option("--host", options->mint.host,
                      "The host in the entry (default: that of the configuration)");
  command->add_option("--config", options->mint.config_file, "The configuration with the auth.secrets to use")
      ->capture_default_str()
      ->type_name("FILE");
  on(command, [this, options](const Connection&) {
    if (options->ttl) options->mint.ttl = *options->ttl;
    return mint_credentials(options->mint, json_);
  });
}

void Program::add_users() {
  const auto user = std::make_shared<UserOptions>();
  CLI::App* const command =
      app_.add_subcommand("user", "The users of auth.database, who change while the daemon runs");
  command->require_subcommand(1);
  const auto add = [command, user](const char* name, const char* help) {
    CLI::App* const added = command->add_subcommand(name, help);
    added->add_option("NAME", user->name, "The name of the user")->required();
    return added;
  };
  const auto add_with_password = [&add, user](const char* name, const char* help) {
    CLI::App* const added = add(name, help);
    added->add_flag("--generate", user->generate, "Generate the password and print it");
    return added;
  };
  on(add_with_password("add", "Add a user; the password is asked for, or read from standard input"),
     [this, user](const Connection& daemon) { return add_user(daemon, *user, json_); });
  on(command->add_subcommand("list", "List the users"),
     [this](const Connection& daemon) { return list_users(daemon, json_); });
  on(add_with_password("passwd", "Give a user another password; allocations made with the old one end"),
     [this, user](const Connection& daemon) { return change_password(daemon, *user, json_); });
  on(add("remove", "Remove a user, on all nodes of a cluster; the allocations of the user end"),
     [this, user](const Connection& daemon) { return remove_user(daemon, user->name, json_); });
}

void Program::add_revoke() {
  struct Options {
    std::string token_id;
    std::string subject;
    Seconds duration;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app_.add_subcommand(
      "revoke",
      "Refuse a token of signaling before it expires, disconnect the clients that used it, and end their "
      "allocations");
  const OneOf which(command->add_option("TOKEN_ID", options->token_id, "The `jti` of the token"),
                    command->add_option("--subject", options->subject,
                                        "All tokens of this `sub` that were issued until now"));
  add_duration(*command, "--for", options->duration,
               "How long to refuse it, at least as long as tokens are valid (default: 720h)");
  on(command, [this, options, which](const Connection& daemon) {
    which.require();
    const bool is_subject = !options->subject.empty();
    return revoke(daemon, is_subject ? options->subject : options->token_id, is_subject, options->duration,
                  json_);
  });
}

void Program::add_import() {
  const auto file = std::make_shared<std::string>();
  CLI::App* const command =
      app_.add_subcommand("import", "Import the configuration or the users of another server");
  command->require_subcommand(1);
  CLI::App* const coturn = command->add_subcommand(
      "coturn", "Print a turnserver.conf as a configuration, or add the users of coturn's SQLite database");
  coturn->add_option("FILE", *file, "The turnserver.conf, or the database")->required();
  on(coturn, [this, file](const Connection& daemon) { return import_coturn(daemon, *file, json_); });
}

void Program::add_check() {
  const auto file = std::make_shared<std::string>(kConfig);
  CLI::App* const command = app_.add_subcommand("check", "Check a configuration");
  command->add_option("FILE", *file, "The configuration")->capture_default_str();
  on(command, [this, file](const Connection&) { return check(*file, json_); });
}

}  // namespace

int main(int argc, char** argv) { return Program().run(argc, argv); }
