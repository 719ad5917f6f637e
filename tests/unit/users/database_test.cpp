#include "users/database.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/temporary_folder.hpp"

namespace turnpike::users {
namespace {

namespace fs = std::filesystem;
using Access = Database::Access;

struct Folder : test::TemporaryFolder {
  std::string file() const { return *this / "users.db"; }
};

// Another program that uses the same file.
class Other {
 public:
  explicit Other(const std::string& file) { REQUIRE(sqlite3_open(file.c_str(), &connection_) == SQLITE_OK); }
  ~Other() { sqlite3_close(connection_); }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;
  void run(const std::string& command) {
    INFO(command);
    const int result = sqlite3_exec(connection_, command.c_str(), nullptr, nullptr, nullptr);
    INFO(sqlite3_errmsg(connection_));
    REQUIRE(result == SQLITE_OK);
  }

 private:
  sqlite3* connection_ = nullptr;
};

// Root may write everything, so a test that runs as root becomes nobody for some time.
class NotRoot {
 public:
  NotRoot() { REQUIRE((before_ != 0 || seteuid(65534) == 0)); }
  ~NotRoot() {
    if (before_ == 0 && seteuid(0) != 0) std::abort();
  }
  NotRoot(const NotRoot&) = delete;
  NotRoot& operator=(const NotRoot&) = delete;

 private:
  const uid_t before_ = geteuid();
};

auth::UserParams user(const std::string& name, std::uint8_t key = 1) {
  auth::UserParams out;
  out.name = name;
  out.key_md5.emplace().fill(key);
  out.key_sha256.emplace().fill(key);
  return out;
}

std::vector<std::string> names(Database database, std::string_view realm = "example.org") {
  std::vector<std::string> out;
  for (const auth::UserParams& one : database.users(realm)) out.push_back(one.name);
  std::ranges::sort(out);
  return out;
}

std::string fault(const std::string& file, Access access = Access::read) {
  try {
    Database(file, access).users("example.org");
    return "";
  } catch (const DatabaseError& error) {
    return error.what();
  }
}

void add(const std::string& file, const auth::UserParams& who, std::string_view realm = "example.org") {
  Database database(file, Access::write);
  Database::Transaction transaction(database);
  REQUIRE(database.add(realm, who, 1700000000));
  transaction.commit();
}

TEST_CASE("a database that is not there has no users, and reading does not make it", "[users]") {
  const Folder folder;
  CHECK(names({folder.file(), Access::read}).empty());
  CHECK_FALSE(fs::exists(folder.file()));
}

TEST_CASE("a new database can be read by its owner and group alone", "[users]") {
  const Folder folder;
  const mode_t before = umask(0);
  add(folder.file(), user("alice"));
  umask(before);
  struct stat status {};
  REQUIRE(stat(folder.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("an empty file becomes a database with the first change", "[users]") {
  const Folder folder;
  std::ofstream(folder.file()).flush();
  CHECK(names({folder.file(), Access::read}).empty());
  CHECK(fs::file_size(folder.file()) == 0);
  add(folder.file(), user("alice"));
  CHECK(names({folder.file(), Access::read}) == std::vector<std::string>{"alice"});
}

TEST_CASE("users are added, changed and removed", "[users]") {
  const Folder folder;
  add(folder.file(), user("alice", 1));
  add(folder.file(), user("bob", 2));
  add(folder.file(), user("alice", 3), "other.example.org");

  Database database(folder.file(), Access::write);
  CHECK_FALSE(database.add("example.org", user("alice", 9), 1));
  CHECK(database.set_keys("example.org", user("alice", 4), 1800000000));
  CHECK_FALSE(database.set_keys("example.org", user("carol"), 1));
  CHECK_FALSE(database.remove("example.org", "carol"));
  const auto users = database.users("example.org");
  CHECK(users.size() == 2);
  for (const auth::UserParams& one : users) {
    CHECK_FALSE(one.password);
    CHECK(one.key_md5 == user("", one.name == "alice" ? 4 : 2).key_md5);
    CHECK(one.key_sha256 == user("", one.name == "alice" ? 4 : 2).key_sha256);
  }
  CHECK(database.users("other.example.org").front().key_md5 == user("", 3).key_md5);
  CHECK(database.remove("example.org", "bob"));
  CHECK(database.count("example.org") == 1);
  CHECK_FALSE(database.remove("example.org", "alice", 1799999999));  // before the keys were set
  CHECK(names({folder.file(), Access::read}) == std::vector<std::string>{"alice"});
  CHECK(database.remove("example.org", "alice", 1800000000));
}

TEST_CASE("a change that is not committed has not happened", "[users]") {
  const Folder folder;
  add(folder.file(), user("alice"));
  {
    Database database(folder.file(), Access::write);
    const Database::Transaction transaction(database);
    CHECK(database.remove("example.org", "alice"));
    CHECK(database.users("example.org").empty());
  }
  CHECK(names({folder.file(), Access::read}).size() == 1);
}

TEST_CASE("a list has pages, and the realms that are not served", "[users]") {
  const Folder folder;
  for (const char* name : {"eve", "bob", "dan", "alice", "carol"}) add(folder.file(), user(name));
  for (const char* name : {"x", "y"}) add(folder.file(), user(name), "old.example.org");
  auth::UserParams imported = user("frank");
  imported.key_sha256.reset();
  add(folder.file(), imported);

  Database database(folder.file(), Access::read);
  const std::vector<ListedUser> first = database.list("example.org", "", 2);
  REQUIRE(first.size() == 2);
  CHECK(first[0].name == "alice");
  CHECK(first[0].changed_at == 1700000000);
  CHECK(first[1].name == "bob");
  const std::vector<ListedUser> rest = database.list("example.org", "bob", 100);
  REQUIRE(rest.size() == 4);
  CHECK(rest.back().name == "frank");
  CHECK(rest.back().has_md5);
  CHECK_FALSE(rest.back().has_sha256);
  const std::vector<RealmCount> others = database.other_realms("example.org");
  REQUIRE(others.size() == 1);
  CHECK(others[0].realm == "old.example.org");
  CHECK(others[0].users == 2);
}

TEST_CASE("what is no database of turnpike's is refused and stays as it is", "[users]") {
  const Folder folder;
  SECTION("garbage") {
    std::ofstream(folder.file()) << std::string(5000, 'x');
    CHECK_THAT(fault(folder.file()), Catch::Contains(folder.file()) && Catch::Contains("not a database"));
    CHECK_THAT(fault(folder.file(), Access::write), Catch::Contains("not a database"));
    CHECK(fs::file_size(folder.file()) == 5000);
  }
  SECTION("half a database") {
    add(folder.file(), user("alice"));
    fs::resize_file(folder.file(), fs::file_size(folder.file()) / 2);
    CHECK_THAT(fault(folder.file()), Catch::Contains("malformed"));
  }
  SECTION("another program's") {
    Other(folder.file()).run("CREATE TABLE users (name TEXT)");
    CHECK_THAT(fault(folder.file()), Catch::Contains("another program's database"));
    CHECK_THAT(fault(folder.file(), Access::write), Catch::Contains("another program's database"));
  }
  SECTION("coturn's") {
    Other(folder.file()).run("CREATE TABLE turnusers_lt (realm TEXT, name TEXT, hmackey TEXT)");
    CHECK_THAT(fault(folder.file(), Access::write), Catch::Contains("turnpikectl import coturn"));
  }
  SECTION("a later version") {
    add(folder.file(), user("alice"));
    Other(folder.file()).run("PRAGMA user_version = 2");
    CHECK_THAT(fault(folder.file()), Catch::Contains("version 2"));
    CHECK_THAT(fault(folder.file(), Access::write), Catch::Contains("version 2"));
  }
  SECTION("a folder, and a device") {
    fs::create_directory(folder.file());
    CHECK_THAT(fault(folder.file()), Catch::Contains("is not a regular file"));
    CHECK_THAT(fault("/dev/null"), Catch::Contains("is not a regular file"));
  }
  SECTION("in a folder that is not there") {
    CHECK_THAT(fault(folder.path() + "/none/users.db", Access::write), Catch::Contains("cannot be created"));
  }
}

TEST_CASE("a database that another process writes is busy, and then is not", "[users]") {
  const Folder folder;
  add(folder.file(), user("alice"));
  {
    Other other(folder.file());
    other.run("BEGIN EXCLUSIVE");
    CHECK_THROWS_AS(Database(folder.file(), Access::read).users("example.org"), DatabaseBusy);
    CHECK_THROWS_AS(add(folder.file(), user("bob")), DatabaseBusy);
  }
  add(folder.file(), user("bob"));
  CHECK(names({folder.file(), Access::read}).size() == 2);
}

TEST_CASE("a database on a read-only medium can be read", "[users]") {
  const Folder folder;
  add(folder.file(), user("alice"));
  chmod(folder.path().c_str(), 0555);
  chmod(folder.file().c_str(), 0444);
  const NotRoot not_root;
  CHECK(names({folder.file(), Access::read}).size() == 1);
  Database database(folder.file(), Access::write);
  CHECK_THROWS_WITH(database.remove("example.org", "alice"), Catch::Contains("readonly"));
  chmod(folder.path().c_str(), 0755);  // or its owner could not remove it
}

TEST_CASE("names are values, whatever is in them", "[users]") {
  const Folder folder;
  const std::vector<std::string> hostile{
      "' OR 1=1 --",        "alice\"); DROP TABLE users; --", "%", "_", "?1", "../../etc/passwd", "Ünï 😀",
      std::string(508, 'n')};
  for (const std::string& name : hostile) add(folder.file(), user(name));
  add(folder.file(), user("alice"));
  Database database(folder.file(), Access::write);
  CHECK(database.users("example.org").size() == hostile.size() + 1);
  CHECK(database.users("' OR 1=1 --").empty());
  for (const std::string& name : hostile) {
    CHECK(database.set_keys("example.org", user(name, 7), 1));
    CHECK(database.remove("example.org", name));
  }
  CHECK(database.count("example.org") == 1);
}

TEST_CASE("a row that can be no user is an error", "[users]") {
  const Folder folder;
  add(folder.file(), user("alice"));
  const std::string key = "X'" + std::string(32, '1') + "'";
  const std::string row = "PRAGMA ignore_check_constraints = ON; INSERT INTO users VALUES ('example.org', ";
  const std::vector<std::string> rests{"'bob', NULL, NULL, 1)",
                                       "'bob', X'1234', NULL, 1)",
                                       "'', " + key + ", NULL, 1)",
                                       "char(10), " + key + ", NULL, 1)",
                                       "CAST(X'ff' AS TEXT), " + key + ", NULL, 1)",
                                       "'" + std::string(509, 'n') + "', " + key + ", NULL, 1)"};
  for (const std::string& rest : rests) {
    Other(folder.file()).run(row + rest);
    INFO(rest);
    CHECK_THAT(fault(folder.file()), Catch::Contains("is not a user"));
    Other(folder.file()).run("DELETE FROM users WHERE name <> 'alice'");
  }
  Other(folder.file()).run(row + "'" + std::string(5000, 'n') + "', " + key + ", NULL, 1)");
  CHECK_THAT(fault(folder.file()), Catch::Contains("too big"));
}

TEST_CASE("a trigger and a view that somebody has put into it do nothing", "[users]") {
  const Folder folder;
  add(folder.file(), user("alice"));
  Other(folder.file())
      .run(
          "CREATE TRIGGER t AFTER DELETE ON users BEGIN INSERT INTO users VALUES ('example.org', 'mallory', "
          "old.key_md5, NULL, 1); END");
  Database database(folder.file(), Access::write);
  CHECK(database.remove("example.org", "alice"));
  CHECK(database.count("example.org") == 0);
}

TEST_CASE("the keys of a removed user are not left in the file", "[users]") {
  const Folder folder;
  auth::UserParams bob = user("bob", 0xb7);
  add(folder.file(), user("alice"));
  add(folder.file(), bob);
  const auto is_in_file = [&] {
    std::ifstream stream(folder.file(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    return text.find(std::string(16, '\xb7')) != std::string::npos;
  };
  CHECK(is_in_file());
  CHECK(Database(folder.file(), Access::write).remove("example.org", "bob"));
  CHECK_FALSE(is_in_file());
}

TEST_CASE("what is revoked is remembered until its end, beside users and without", "[users]") {
  using auth::Revocation;
  using Kind = Revocation::Kind;
  using namespace std::chrono_literals;
  constexpr WallTime kThen{1'735'689'600s};
  const Folder folder;
  CHECK(Database(folder.file(), Access::read).revocations(kThen).revocations.empty());
  const auto has_users = GENERATE(false, true);
  if (has_users) add(folder.file(), user("alice"));
  CHECK(Database(folder.file(), Access::read).revocations(kThen).revocations.empty());

  const Revocation token{Kind::token, "a'; DROP TABLE users; --", kThen, kThen + 1h};
  const Revocation subject{Kind::subject, "ann", kThen + 1ms, kThen + 2h};
  const Revocation of_user{Kind::user, "ann", kThen, kThen + 3h};
  Database(folder.file(), Access::write).remember(std::vector{token, subject}, kThen);
  Database(folder.file(), Access::write).remember(std::vector{of_user}, kThen);
  CHECK(names({folder.file(), Access::read}).size() == (has_users ? 1 : 0));
  CHECK(Database(folder.file(), Access::read).revocations(kThen).revocations ==
        std::vector{subject, token, of_user});
  CHECK(Database(folder.file(), Access::read).revocations(kThen + 2h).revocations == std::vector{of_user});

  // Of two revocations of one name, the later times count. Expired ones are deleted at the next change.
  const Revocation later{Kind::subject, "ann", kThen + 1h, kThen + 90min};
  Database(folder.file(), Access::write).remember(std::vector{later}, kThen + 1h);
  const Revocation both{Kind::subject, "ann", kThen + 1h, kThen + 2h};
  CHECK(Database(folder.file(), Access::read).revocations(kThen).revocations == std::vector{both, of_user});
}

TEST_CASE("an invalid revocation is not written, and is ignored when it is in the file", "[users]") {
  using auth::Revocation;
  using Kind = Revocation::Kind;
  using namespace std::chrono_literals;
  constexpr WallTime kThen{1'735'689'600s};
  const Folder folder;
  const Revocation good{Kind::subject, "ann", kThen, kThen + 1h};
  const Revocation longest{Kind::subject, std::string(508, 'a'), kThen, kThen + 1h};
  Database(folder.file(), Access::write).remember(std::vector{longest, good}, kThen);
  for (const Revocation& bad :
       {Revocation{Kind::subject, std::string(509, 'a'), kThen, kThen + 1h},
        Revocation{Kind::subject, "", kThen, kThen + 1h},
        Revocation{Kind::token, "x", WallTime(-1ms), kThen + 1h},
        Revocation{Kind::token, "x", kThen, WallTime(Duration(253'402'300'800'001))}}) {
    Database database(folder.file(), Access::write);
    CHECK_THROWS_WITH(database.remember(std::vector{bad}, kThen),
                      Catch::Contains("cannot have a revocation"));
  }
  const auto is_whole = [&](std::size_t left_out) {
    const RememberedRevocations there = Database(folder.file(), Access::read).revocations(kThen);
    CHECK(there.revocations == std::vector{longest, good});
    CHECK(there.left_out == left_out);
  };
  is_whole(0);
  Other(folder.file()).run("INSERT INTO revocations VALUES ('nonsense', 'x', 0, 9000000000000)");
  Other(folder.file())
      .run("INSERT INTO revocations VALUES ('subject', '" + std::string(600, 'a') + "', 0, 9000000000000)");
  is_whole(2);
}

TEST_CASE("more revocations than are remembered keep nobody from starting", "[users]") {
  using namespace std::chrono_literals;
  constexpr WallTime kThen{1'735'689'600s};
  const Folder folder;
  Database(folder.file(), Access::write)
      .remember(std::vector{auth::Revocation{auth::Revocation::Kind::user, "ann", kThen, kThen + 1h}}, kThen);
  Other(folder.file())
      .run(
          "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 30001) INSERT INTO "
          "revocations SELECT 'token', i, 0, 9000000000000 FROM n");
  const RememberedRevocations there = Database(folder.file(), Access::read).revocations(kThen);
  CHECK(there.revocations.size() == 30'000);
  CHECK(there.left_out == 2);
}

TEST_CASE("the number of users is limited", "[users]") {
  const Folder folder;
  add(folder.file(), user("alice"));
  const auto fill = [&](std::size_t count) {
    Other(folder.file())
        .run("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < " +
             std::to_string(count) +
             ") INSERT OR IGNORE INTO users SELECT 'example.org', 'user' || i, zeroblob(16), NULL, 1 FROM n");
  };
  fill(Database::kMaxUsers - 1);
  CHECK(names({folder.file(), Access::read}).size() == Database::kMaxUsers);
  fill(Database::kMaxUsers);
  CHECK_THAT(fault(folder.file()), Catch::Contains("more than 100000 users"));
}

}  // namespace
}  // namespace turnpike::users
