// The command `turnpikectl user` manages the users of auth.database. Like the commands of commands.hpp, each
// function prints its result and returns the exit code.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "turnpikectl/connection.hpp"

namespace turnpike::turnpikectl {

struct UserOptions {
  std::string name;
  bool generate = false;  // makes up the password, and prints it
};

int add_user(const Connection& daemon, const UserOptions& options, bool json);
int change_password(const Connection& daemon, const UserOptions& options, bool json);
int remove_user(const Connection& daemon, const std::string& name, bool json);
// `name` is the id of a token or, with `by_subject`, a subject.
int revoke(const Connection& daemon, const std::string& name, bool by_subject,
           std::optional<std::chrono::seconds> duration, bool json);
int list_users(const Connection& daemon, bool json);

}  // namespace turnpike::turnpikectl
