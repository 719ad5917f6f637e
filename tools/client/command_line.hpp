// How stunclient and turnbench read their command lines.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace turnpike::client {

// Ends the process after --help and --version with 0, and after a mistake with `failure`, since CLI11 has an
// exit code of its own for each kind of mistake. When an argument is missing and an option is unknown, the
// message names the unknown option, since that is what somebody has mistyped.
inline void parse_or_exit(CLI::App& app, int argc, char** argv, int failure) {
  const auto end = [&](const CLI::ParseError& error) { std::exit(app.exit(error) == 0 ? 0 : failure); };
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    if (app.remaining_size() != 0) end(CLI::ExtrasError(app.remaining()));
    end(error);
  } catch (const CLI::ParseError& error) {
    end(error);
  }
}

}  // namespace turnpike::client
