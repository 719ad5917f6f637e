#include "turnpikectl/coturn.hpp"

#include <sqlite3.h>

#include <array>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "config/config.hpp"
#include "config/text.hpp"
#include "turnpike/base/hex.hpp"
#include "turnpike/base/printable.hpp"
#include "turnpike/base/text.hpp"
#include "turnpikectl/answers.hpp"
#include "turnpikectl/commands.hpp"
#include "turnpikectl/coturn_config.hpp"
#include "turnpikectl/output.hpp"

namespace turnpike::turnpikectl {
namespace {

namespace json = boost::json;

constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr std::size_t kUsersAtOnce = 100;      // the daemon accepts this many users in one request
constexpr std::size_t kOctetsAtOnce = 60'000;  // and this many octets

struct CoturnDatabase {
  struct User {
    std::string realm;
    std::string name;
    std::string key;  // in hex
  };
  std::vector<User> users;
  std::map<std::string, std::int64_t> others;  // rows of the tables that are not imported
};

CoturnDatabase read_database(const std::string& file) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> connection(opened, &sqlite3_close);
  const auto fail = [&] { throw std::runtime_error(file + ": " + sqlite3_errmsg(connection.get())); };
  if (result != SQLITE_OK) fail();
  sqlite3_db_config(connection.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_busy_timeout(connection.get(), 5000);
  const auto for_each_row = [&](const std::string& query, auto&& row) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(connection.get(), query.c_str(), -1, &prepared, nullptr) != SQLITE_OK) fail();
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(prepared, &sqlite3_finalize);
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(prepared)) == SQLITE_ROW) row(prepared);
    if (step != SQLITE_DONE) fail();
  };
  const auto text = [](sqlite3_stmt* row, int column) {
    const auto* octets = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
    return octets ? std::string(octets, static_cast<std::size_t>(sqlite3_column_bytes(row, column))) : "";
  };

  CoturnDatabase database;
  for_each_row("SELECT realm, name, hmackey FROM turnusers_lt ORDER BY realm, name", [&](sqlite3_stmt* row) {
    database.users.push_back({text(row, 0), text(row, 1), text(row, 2)});
  });
  std::vector<std::string> tables;
  for_each_row(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('turn_secret', "
      "'allowed_peer_ip', 'denied_peer_ip', 'oauth_key', 'turn_realm_option', 'turn_origin_to_realm', "
      "'admin_user')",
      [&](sqlite3_stmt* row) { tables.push_back(text(row, 0)); });
  for (const std::string& table : tables) {
    for_each_row("SELECT count(*) FROM " + table,
                 [&](sqlite3_stmt* row) { database.others[table] = sqlite3_column_int64(row, 0); });
  }
  return database;
}

// Returns the member of /v1/users for a key in coturn's form, or null when it is not such a key.
const char* member_of(const std::string& key) {
  std::array<std::uint8_t, 16> md5;
  std::array<std::uint8_t, 32> sha256;
  if (parse_hex(key, md5)) return "key_md5";
  return parse_hex(key, sha256) ? "key_sha256" : nullptr;
}

struct Imported {
  json::array names;
  json::array refused;                                   // {"name", "why"}
  std::map<std::string, std::uint64_t> of_other_realms;  // users, whose keys hold for that realm alone
};

// Sends all users together. When the daemon refuses one of them, it sends them one by one.
void give(const Connection& daemon, const json::array& users, Imported& imported) {
  const Answer answer = daemon.post("/v1/users", json::object{{"users", users}});
  if (answer.ok()) {
    for (const json::value& user : users) imported.names.push_back(user.at("name"));
  } else if (users.size() == 1) {
    imported.refused.push_back({{"name", users[0].at("name")}, {"why", answer.error()}});
  } else {
    for (const json::value& user : users) give(daemon, {user}, imported);
  }
}

std::string what_to_do_with(const std::string& table) {
  if (table == "turn_secret") return "write them in auth.secrets";
  if (table == "allowed_peer_ip") return "write them in peers.allow";
  if (table == "denied_peer_ip") return "write them in peers.deny";
  if (table == "oauth_key") return "write them in auth.third_party";
  if (table == "turn_realm_option") return "limits hold for all users here";
  if (table == "turn_origin_to_realm") return "there is one realm here";
  return "turnpikectl on the admin socket takes the place of that console";
}

// Gives the daemon all users of its realm, as many at once as it takes.
Imported import_all(const Connection& daemon, const std::vector<CoturnDatabase::User>& users,
                    const std::string& realm) {
  Imported imported;
  json::array waiting;
  std::size_t octets = 0;
  for (const CoturnDatabase::User& user : users) {
    if (user.realm != realm) {
      ++imported.of_other_realms[user.realm];
      continue;
    }
    const char* const member = member_of(user.key);
    if (!member || !is_utf8(user.name)) {
      imported.refused.push_back({{"name", is_utf8(user.name) ? user.name : config::shown(user.name)},
                                  {"why", "coturn's database has no key of it that can be read"}});
      continue;
    }
    json::object one{{"name", user.name}, {member, user.key}};
    const std::size_t size = json::serialize(one).size();
    if (!waiting.empty() && (waiting.size() == kUsersAtOnce || octets + size > kOctetsAtOnce)) {
      give(daemon, waiting, imported);
      waiting.clear();
      octets = 0;
    }
    octets += size + 1;
    waiting.push_back(std::move(one));
  }
  if (!waiting.empty()) give(daemon, waiting, imported);
  return imported;
}

void say_imported_json(const Imported& imported, const CoturnDatabase& database, const std::string& realm) {
  json::object realms;
  for (const auto& [name, count] : imported.of_other_realms) realms[name] = count;
  json::object tables;
  for (const auto& [name, count] : database.others) tables[name] = count;
  say_json({{"realm", realm},
            {"imported", imported.names},
            {"refused", imported.refused},
            {"other_realms", realms},
            {"other_tables", tables}});
}

void say_imported(const Imported& imported, const CoturnDatabase& database, const std::string& realm) {
  say("imported " + std::to_string(imported.names.size()) + " users of realm " + realm);
  for (const json::value& one : imported.refused)
    say("not imported: " + text_of(one.get_object(), "name") + ": " + text_of(one.get_object(), "why"));
  for (const auto& [name, count] : imported.of_other_realms) {
    say("not imported: " + std::to_string(count) + " of realm " + (name.empty() ? "\"\"" : name) +
        ", since their keys hold for that realm alone");
  }
  for (const auto& [table, count] : database.others) {
    if (count != 0)
      say("not imported: " + std::to_string(count) + " rows of " + table + ": " + what_to_do_with(table));
  }
  if (!imported.names.empty())
    say("coturn stores MD5 keys only, so turnpike offers MD5 only to all clients until these users have a "
        "new password");
}

int import_users(const Connection& daemon, const std::string& file, bool as_json) {
  const CoturnDatabase database = read_database(file);
  const Answer known = daemon.get("/v1/users?limit=1");
  if (!known.ok() || !known.body.is_object()) return refuse(known, as_json);
  const std::string realm = text_of(known.body.get_object(), "realm");
  const Imported imported = import_all(daemon, database.users, realm);
  if (as_json) {
    say_imported_json(imported, database, realm);
  } else {
    say_imported(imported, database, realm);
  }
  return imported.refused.empty() ? kDone : kRefused;
}

int import_config(std::istream& stream, const std::string& file, bool as_json) {
  const std::string text = convert_coturn_config(stream, file);
  if (as_json) {
    json::array errors;
    if (const auto config = config::parse(text, "result"); !config) {
      for (const config::Error& error : config.error()) errors.emplace_back(to_string(error));
    }
    say_json({{"yaml", is_utf8(text) ? text : printable(text)}, {"errors", errors}});
    return errors.empty() ? kDone : kRefused;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) say(line);
  const auto config = config::parse(text, "result");
  if (config) return kDone;
  for (const config::Error& error : config.error()) complain(to_string(error));
  complain("turnpikectl: turnpike would not start with this; change it first");
  return kRefused;
}

}  // namespace

int import_coturn(const Connection& daemon, const std::string& file, bool json) {
  std::ifstream stream(file, std::ios::binary);
  std::string head(kMagic.size(), '\0');
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(stream.gcount()));
  if (stream.bad() || (head.empty() && !stream.eof())) throw std::runtime_error(file + ": cannot be read");
  if (head == kMagic) return import_users(daemon, file, json);
  stream.clear();
  stream.seekg(0);
  return import_config(stream, file, json);
}

}  // namespace turnpike::turnpikectl
