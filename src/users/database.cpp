#include "users/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "turnpike/auth/opaque_string.hpp"
#include "turnpike/base/bytes.hpp"

namespace turnpike::users {
namespace {

constexpr int kVersion = 1;                        // of the schema, as PRAGMA user_version
constexpr std::int64_t kApplication = 0x54757073;  // as PRAGMA application_id: no other program's database
constexpr int kMaxValue = 4096;                    // octets of a text or a blob in the database
constexpr mode_t kMode = 0640;

constexpr const char* kSchema = R"(
  CREATE TABLE users (
    realm TEXT NOT NULL,
    name TEXT NOT NULL,
    key_md5 BLOB CHECK (length(key_md5) = 16),
    key_sha256 BLOB CHECK (length(key_sha256) = 32),
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (realm, name),
    CHECK (key_md5 IS NOT NULL OR key_sha256 IS NOT NULL)
  ) STRICT, WITHOUT ROWID;
)";
// The table is created at the first revocation, so files of all versions may have it or not.
constexpr const char* kRevocations = R"(
  CREATE TABLE IF NOT EXISTS revocations (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;
)";
constexpr std::array<std::string_view, auth::Revocation::kKinds> kKindNames{"token", "subject", "user"};
constexpr std::int64_t kLatest = 253'402'300'800'000;  // the year 10000, in milliseconds since 1970

std::string error_text(int error) { return std::generic_category().message(error); }

std::int64_t milliseconds_of(WallTime time) { return time.time_since_epoch().count(); }

constexpr std::size_t kMaxRevocations = auth::Revocation::kKinds * auth::Revocations::kMax;

bool is_sound(const auth::Revocation& one) {
  return !one.name.empty() && one.name.size() <= auth::kMaxUserName && milliseconds_of(one.since) >= 0 &&
         milliseconds_of(one.until) <= kLatest;
}

}  // namespace

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close(connection); }

// One command with its arguments, which outlive it.
class Database::Statement {
 public:
  Statement(Database& database, const char* text) : database_(database) {
    if (sqlite3_prepare_v2(database.connection_.get(), text, -1, &statement_, nullptr) != SQLITE_OK)
      database.fail();
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind(int at, std::string_view text) {
    check(sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC));
  }
  void bind(int at, std::int64_t number) { check(sqlite3_bind_int64(statement_, at, number)); }
  template <std::size_t Size>
  void bind(int at, const std::optional<std::array<std::uint8_t, Size>>& key) {
    if (key) check(sqlite3_bind_blob(statement_, at, key->data(), Size, SQLITE_STATIC));
  }

  // Returns whether there is a row.
  bool step() {
    const int result = sqlite3_step(statement_);
    if (result != SQLITE_ROW && result != SQLITE_DONE) database_.fail();
    return result == SQLITE_ROW;
  }
  std::string text(int column) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
                : std::string();
  }
  std::int64_t number(int column) { return sqlite3_column_int64(statement_, column); }
  // Null means that there is no key. Returns false when the value has another size than a key.
  template <std::size_t Size>
  bool read_key(int column, std::optional<std::array<std::uint8_t, Size>>& out) {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return true;
    const auto* octets = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    if (!octets || sqlite3_column_bytes(statement_, column) != Size) return false;
    std::copy_n(octets, Size, out.emplace().begin());
    return true;
  }

 private:
  void check(int result) {
    if (result != SQLITE_OK) database_.fail();
  }

  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
};

Database::Database(const std::string& file, Access access) : file_(file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    if (errno != ENOENT) fail(error_text(errno));
    if (access == Access::read) {
      open_empty();
      return;
    }
    const int made = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode);
    if (made < 0) fail("cannot be created: " + error_text(errno));
    ::close(made);
  } else if (!S_ISREG(status.st_mode)) {
    fail("is not a regular file");
  }
  // Even a reader opens the file for writing, since it may have to finish what a writer began before a power
  // failure.
  open(file, SQLITE_OPEN_READWRITE);
  prepare_schema(access);
}

void Database::open(const std::string& name, int flags) {
  sqlite3* connection = nullptr;
  const int result = sqlite3_open_v2(name.c_str(), &connection, flags, nullptr);
  connection_.reset(connection);
  if (result != SQLITE_OK) fail();
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, static_cast<int>(kPatience.count()));
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, kMaxValue);
  // Another program may have written the file, so no code in it runs, and a row is checked before it is used.
  for (const auto& [option, value] : {std::pair(SQLITE_DBCONFIG_DEFENSIVE, 1),
                                      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                      {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                                      {SQLITE_DBCONFIG_ENABLE_VIEW, 0}})
    sqlite3_db_config(connection, option, value, nullptr);
  run("PRAGMA cell_size_check = ON");
  run("PRAGMA secure_delete = ON");  // so that the keys of removed users are overwritten
}

void Database::open_empty() {
  open(":memory:", SQLITE_OPEN_READWRITE);
  prepare_schema(Access::write);
}

void Database::prepare_schema(Access access) {
  const bool is_empty = number_of("SELECT count(*) FROM sqlite_schema") == 0;
  const std::int64_t version = number_of("PRAGMA user_version");
  if (is_empty && version == 0) {
    if (access == Access::read) return open_empty();
    Transaction transaction(*this);
    // Another process may have created the schema in the meantime.
    if (number_of("SELECT count(*) FROM sqlite_schema") == 0) {
      run(kSchema);
      run(("PRAGMA application_id = " + std::to_string(kApplication)).c_str());
      run(("PRAGMA user_version = " + std::to_string(kVersion)).c_str());
    }
    return transaction.commit();
  }
  if (number_of("PRAGMA application_id") != kApplication) {
    const bool is_coturn = number_of("SELECT count(*) FROM sqlite_schema WHERE name = 'turnusers_lt'") != 0;
    fail(is_coturn ? "is coturn's database: use a new file, and turnpikectl import coturn for the users"
                   : "is another program's database");
  }
  if (version != kVersion) {
    fail("has version " + std::to_string(version) + " of the layout, and this turnpike knows version " +
         std::to_string(kVersion));
  }
}

std::vector<auth::UserParams> Database::users(std::string_view realm) {
  if (count(realm) > kMaxUsers) fail("has more than " + std::to_string(kMaxUsers) + " users of this realm");
  Statement statement(*this, "SELECT name, key_md5, key_sha256 FROM users WHERE realm = ?1");
  statement.bind(1, realm);
  std::vector<auth::UserParams> users;
  while (statement.step()) {
    auth::UserParams user;
    user.name = statement.text(0);
    const bool has_keys = statement.read_key(1, user.key_md5) && statement.read_key(2, user.key_sha256) &&
                          (user.key_md5 || user.key_sha256);
    if (!has_keys || user.name.size() > auth::kMaxUserName || auth::opaque_string(user.name) != user.name)
      fail("row " + std::to_string(users.size() + 1) + " of this realm is not a user with a name and keys");
    users.push_back(std::move(user));
  }
  return users;
}

std::vector<ListedUser> Database::list(std::string_view realm, std::string_view after, std::size_t limit) {
  Statement statement(*this,
                      "SELECT name, key_md5 IS NOT NULL, key_sha256 IS NOT NULL, changed_at FROM users "
                      "WHERE realm = ?1 AND name > ?2 ORDER BY name LIMIT ?3");
  statement.bind(1, realm);
  statement.bind(2, after);
  statement.bind(3, static_cast<std::int64_t>(limit));
  std::vector<ListedUser> users;
  while (statement.step()) {
    users.push_back(
        {statement.text(0), statement.number(1) != 0, statement.number(2) != 0, statement.number(3)});
  }
  return users;
}

std::uint64_t Database::count(std::string_view realm) {
  Statement statement(*this, "SELECT count(*) FROM users WHERE realm = ?1");
  statement.bind(1, realm);
  return statement.step() ? static_cast<std::uint64_t>(statement.number(0)) : 0;
}

std::vector<RealmCount> Database::other_realms(std::string_view realm) {
  Statement statement(*this,
                      "SELECT realm, count(*) FROM users WHERE realm <> ?1 GROUP BY realm ORDER BY realm "
                      "LIMIT ?2");
  statement.bind(1, realm);
  statement.bind(2, static_cast<std::int64_t>(kMaxListedRealms));
  std::vector<RealmCount> realms;
  while (statement.step())
    realms.push_back({statement.text(0), static_cast<std::uint64_t>(statement.number(1))});
  return realms;
}

Database::Transaction::Transaction(Database& database) : database_(database) {
  database_.run("BEGIN IMMEDIATE");
}

Database::Transaction::~Transaction() {
  if (!committed_) sqlite3_exec(database_.connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Database::Transaction::commit() {
  database_.run("COMMIT");
  committed_ = true;
}

bool Database::add(std::string_view realm, const auth::UserParams& user, std::int64_t now) {
  return write_keys(
      "INSERT INTO users (realm, name, key_md5, key_sha256, changed_at) VALUES (?1, ?2, ?3, ?4, ?5) "
      "ON CONFLICT DO NOTHING",
      realm, user, now);
}

bool Database::set_keys(std::string_view realm, const auth::UserParams& user, std::int64_t now) {
  return write_keys(
      "UPDATE users SET key_md5 = ?3, key_sha256 = ?4, changed_at = ?5 WHERE realm = ?1 AND name = ?2", realm,
      user, now);
}

bool Database::write_keys(const char* command, std::string_view realm, const auth::UserParams& user,
                          std::int64_t now) {
  Statement statement(*this, command);
  statement.bind(1, realm);
  statement.bind(2, user.name);
  statement.bind(3, user.key_md5);
  statement.bind(4, user.key_sha256);
  statement.bind(5, now);
  statement.step();
  return sqlite3_changes(connection_.get()) != 0;
}

bool Database::remove(std::string_view realm, std::string_view name, std::int64_t unless_changed_after) {
  Statement statement(*this, "DELETE FROM users WHERE realm = ?1 AND name = ?2 AND changed_at <= ?3");
  statement.bind(1, realm);
  statement.bind(2, name);
  statement.bind(3, unless_changed_after);
  statement.step();
  return sqlite3_changes(connection_.get()) != 0;
}

RememberedRevocations Database::revocations(WallTime now) {
  if (number_of("SELECT count(*) FROM sqlite_schema WHERE name = 'revocations'") == 0) return {};
  Statement statement(*this, "SELECT kind, name, since, until FROM revocations WHERE until > ?1");
  statement.bind(1, milliseconds_of(now));
  RememberedRevocations out;
  while (statement.step()) {
    const auto* const kind = std::ranges::find(kKindNames, statement.text(0));
    auth::Revocation one{{},
                         statement.text(1),
                         WallTime(Duration(statement.number(2))),
                         WallTime(Duration(statement.number(3)))};
    if (kind == kKindNames.end() || !is_sound(one) || out.revocations.size() >= kMaxRevocations) {
      ++out.left_out;
      continue;
    }
    one.kind = static_cast<auth::Revocation::Kind>(kind - kKindNames.begin());
    out.revocations.push_back(std::move(one));
  }
  return out;
}

void Database::remember(std::span<const auth::Revocation> revocations, WallTime now) {
  Transaction transaction(*this);
  run(kRevocations);
  Statement forget(*this, "DELETE FROM revocations WHERE until <= ?1");
  forget.bind(1, milliseconds_of(now));
  forget.step();
  for (const auth::Revocation& one : revocations) {
    if (!is_sound(one)) fail("cannot have a revocation with such a name or such times");
    Statement statement(
        *this,
        "INSERT INTO revocations (kind, name, since, until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT "
        "DO UPDATE SET since = max(since, excluded.since), until = max(until, excluded.until)");
    statement.bind(1, kKindNames[static_cast<std::size_t>(one.kind)]);
    statement.bind(2, one.name);
    statement.bind(3, milliseconds_of(one.since));
    statement.bind(4, milliseconds_of(one.until));
    statement.step();
  }
  transaction.commit();
}

std::int64_t Database::number_of(const char* query) {
  Statement statement(*this, query);
  return statement.step() ? statement.number(0) : 0;
}

void Database::run(const char* command) {
  if (sqlite3_exec(connection_.get(), command, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

void Database::fail() {
  const int code = connection_ ? sqlite3_errcode(connection_.get()) & 0xff : SQLITE_NOMEM;
  const std::string what = file_ + ": " + (connection_ ? sqlite3_errmsg(connection_.get()) : "no memory");
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) throw DatabaseBusy(what);
  throw DatabaseError(what);
}

void Database::fail(const std::string& what) const { throw DatabaseError(file_ + ": " + what); }

}  // namespace turnpike::users
