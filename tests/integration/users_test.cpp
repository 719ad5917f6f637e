// Tests users of auth.database: changes by turnpikectl user take effect at once, also for calls that
// continue.
#include <signal.h>
#include <sys/stat.h>

#include <boost/json/array.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/controlled.hpp"
#include "support/relaying.hpp"

namespace turnpike::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::size_t kUserSizes[] = {1, 160, 1100};

std::string with_database(const std::string& file, const std::string& users = "{alice: secret}") {
  return R"(
realm: example.org
workers: 2
listen: ["udp://127.0.0.1:0"]
relay: {addresses: [127.0.0.1]}
auth: {users: )" +
         users + ", database: \"sqlite:" + file + R"("}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0, failures_per_second: 0}
)";
}

struct WithUsers {
  TemporaryFolder folder;
  std::string file = folder / "users.db";
  Controlled server{{}, with_database(file)};

  CommandOutcome user(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "user");
    return server.control(arguments);
  }
  // Runs a command that reads a password.
  CommandOutcome user(const std::string& command, const std::string& name,
                      const std::string& password) const {
    Child child({"sh", "-c", R"(printf '%s\n' "$0" | "$@")", password, TURNPIKECTL, "--socket",
                 server.socket(), "--json", "user", command, "--", name});
    const int code = child.wait();
    return {code, child.output()};
  }
};

std::string error_code(const CommandOutcome& outcome) {
  return std::string(outcome.json().at("error").at("code").as_string());
}

TEST_CASE("a user is added, listed, given another password and removed", "[integration][users]") {
  WithUsers with;
  Controlled& server = with.server;
  CHECK(with.user({"list"}).json().at("users").as_array().empty());
  CHECK(server.client("bob", "hunter2").allocate() == 401);

  CHECK(with.user("add", "bob", "hunter2").code == 0);
  struct stat status {};
  REQUIRE(stat(with.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0137) == 0);
  client::UdpSocket peer(loopback(Family::ipv4));
  RelayClient bob = server.client("bob", "hunter2");
  RelayClient alice = server.client();
  REQUIRE(bob.allocate() == 0);
  REQUIRE(alice.allocate() == 0);
  REQUIRE(alice.bind(0x4000, peer.local()) == 0);

  const json::object list = with.user({"list"}).json();
  CHECK(list.at("realm").as_string() == "example.org");
  CHECK(list.at("in_file").as_int64() == 1);
  REQUIRE(list.at("users").as_array().size() == 1);
  CHECK(list.at("users").at(0).at("name").as_string() == "bob");
  CHECK(list.at("users").at(0).at("keys").as_array().size() == 2);

  // The same password changes nothing for a call. Another one ends it.
  CHECK(with.user("passwd", "bob", "hunter2").code == 0);
  CHECK(bob.refresh(600s) == 0);
  CHECK(with.user("passwd", "bob", "hunter3").code == 0);
  REQUIRE(server.daemon.wait_for_log("allocation deleted client=" + bob.local().to_string()));
  CHECK(server.client("bob", "hunter2").allocate() == 401);
  RelayClient again = server.client("bob", "hunter3");
  REQUIRE(again.allocate() == 0);

  CHECK(with.user({"remove", "bob"}).code == 0);
  REQUIRE(server.daemon.wait_for_log("allocation deleted client=" + again.local().to_string()));
  CHECK(server.client("bob", "hunter3").allocate() == 401);
  CHECK(with.user({"list"}).json().at("users").as_array().empty());
  expect_relaying(alice, peer, 0x4000, kUserSizes);
  CHECK(server.daemon.stop() == 0);  // the log is whole then
  CHECK_THAT(server.daemon.log(), Catch::Contains("user bob was added") && !Catch::Contains("hunter"));
}

TEST_CASE("users of a database are there after a restart, and after a reload", "[integration][users]") {
  WithUsers with;
  REQUIRE(with.user("add", "bob", "hunter2").code == 0);
  const Controlled second({}, with_database(with.file));
  RelayClient bob = second.client("bob", "hunter2");
  REQUIRE(bob.allocate() == 0);
  // Another daemon has changed the file. This one learns of it at a reload.
  REQUIRE(with.user({"remove", "bob"}).code == 0);
  CHECK(bob.refresh(600s) == 0);
  CHECK(second.control({"reload", "--dry-run"}).json().at("sessions_ended").as_int64() == 1);
  CHECK(bob.refresh(600s) == 0);
  CHECK(second.control({"reload"}).json().at("sessions_ended").as_int64() == 1);
  CHECK(second.client("bob", "hunter2").allocate() == 401);
}

TEST_CASE("a password that is made up is good, and in nobody's log", "[integration][users]") {
  WithUsers with;
  const CommandOutcome made = with.user({"add", "bob", "--generate"});
  REQUIRE(made.code == 0);
  const std::string password(made.json().at("password").as_string());
  CHECK(password.size() == 24);
  CHECK(with.server.client("bob", password).allocate() == 0);
  CHECK(with.user({"passwd", "bob", "--generate"}).json().at("password").as_string() != password.c_str());
  CHECK(with.server.client("bob", password).allocate() == 401);
  CHECK(with.server.daemon.stop() == 0);  // the log is whole then
  CHECK_THAT(with.server.daemon.log(), Catch::Contains("user bob was added") && !Catch::Contains(password));
}

TEST_CASE("a change that cannot be is refused, and changes nothing", "[integration][users]") {
  WithUsers with;
  REQUIRE(with.user("add", "bob", "hunter2").code == 0);
  CHECK(error_code(with.user("add", "bob", "x")) == "user-exists");
  CHECK(error_code(with.user("add", "alice", "x")) == "in-file");
  CHECK(error_code(with.user("passwd", "alice", "x")) == "in-file");
  CHECK(error_code(with.user({"remove", "alice"})) == "in-file");
  CHECK(error_code(with.user("passwd", "carol", "x")) == "no-such-user");
  CHECK(error_code(with.user({"remove", "carol"})) == "no-such-user");
  CHECK(error_code(with.user("add", "a\nb", "x")) == "bad-name");
  CHECK(error_code(with.user("add", std::string(509, 'n'), "x")) == "bad-name");
  CHECK(error_code(with.user("add", "carol", "a\tb")) == "bad-password");
  CHECK_THAT(with.user("add", "carol", "").text, Catch::Contains("the password is empty"));
  CHECK(with.user("add", "carol", "").code == 1);
  CHECK(with.user({"list"}).json().at("count").as_int64() == 1);
  CHECK(with.server.client("bob", "hunter2").allocate() == 0);
}

TEST_CASE("names are prepared as those in the file are, and may be strange", "[integration][users]") {
  WithUsers with;
  REQUIRE(with.user("add", "Zoe\xcc\x88", "p").code == 0);  // e and a combining diaeresis
  CHECK(error_code(with.user("add", "Zo\xc3\xab", "p")) == "user-exists");
  CHECK(with.server.client("Zo\xc3\xab", "p").allocate() == 0);
  for (const char* name : {"a/b", "../x", "a b", "?name=q&x=%41", "' OR 1=1 --", "-n", "1700000000:z"}) {
    INFO(name);
    REQUIRE(with.user("add", name, "p").code == 0);
    CHECK(with.server.client(name, "p").allocate() == 0);
    CHECK(with.user({"remove", "--", name}).code == 0);
  }
  CHECK(with.user({"list"}).json().at("count").as_int64() == 1);
}

TEST_CASE("a user in the file and in the database is a mistake", "[integration][users]") {
  WithUsers with;
  REQUIRE(with.user("add", "bob", "hunter2").code == 0);
  with.server.write_config(with_database(with.file, "{alice: secret, bob: other}"));
  const CommandOutcome outcome = with.server.control({"reload"});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.text, Catch::Contains("auth.database: auth.users has the user bob as well"));
  CHECK(with.server.client("bob", "hunter2").allocate() == 0);
  CHECK(with.server.control({"check", with.server.daemon.config_file()}).code == 1);
}

TEST_CASE("users whose keys no algorithm serves cannot stand side by side", "[integration][users]") {
  TemporaryFolder folder;
  const std::string sha256(64, 'a');
  const Controlled server({}, with_database(folder / "users.db", "{alice: {key_sha256: " + sha256 + "}}"));
  const auto post = [&](const std::string& keys) {
    Child child({"curl", "-sS", "--unix-socket", server.socket(), "-d",
                 R"({"users": [{"name": "bob", )" + keys + "}]}", "http://localhost/v1/users"});
    child.wait();
    return child.output();
  };
  const std::string md5 = R"("key_md5": ")" + std::string(32, 'b') + '"';
  CHECK_THAT(post(md5), Catch::Contains("would-not-start") && Catch::Contains("no algorithm serves all"));
  CHECK_THAT(post(md5 + R"(, "password": "x")"), Catch::Contains("bad-user"));
  CHECK_THAT(post(R"("key_md5": "abc")"), Catch::Contains("bad-user"));
  CHECK_THAT(post(R"("key_md5": 5)"), Catch::Contains("bad-user"));
  CHECK_THAT(post(R"("secret": "x")"), Catch::Contains("bad-user"));
  CHECK(server.control({"user", "list"}).json().at("count").as_int64() == 0);
  CHECK_THAT(post(R"("key_sha256": ")" + sha256 + '"'), Catch::Contains(R"("here":true)"));
  CHECK(server.control({"user", "list"}).json().at("count").as_int64() == 1);
}

TEST_CASE("without a database, or with a broken one, users do not change", "[integration][users]") {
  SECTION("none") {
    const Controlled server;
    CHECK(error_code(server.control({"user", "list"})) == "no-database");
    CHECK(error_code(server.control({"user", "add", "bob", "--generate"})) == "no-database");
  }
  SECTION("broken while it runs") {
    WithUsers with;
    REQUIRE(with.user("add", "bob", "hunter2").code == 0);
    std::ofstream(with.file) << "garbage that is no database, and long enough to be looked at";
    CHECK(error_code(with.user("add", "carol", "x")) == "database-error");
    CHECK(error_code(with.user({"list"})) == "database-error");
    const CommandOutcome reload = with.server.control({"reload"});
    CHECK(reload.code == 1);
    CHECK_THAT(reload.text, Catch::Contains("auth.database: " + with.file + ": file is not a database"));
    CHECK(with.server.client("bob", "hunter2").allocate() == 0);
  }
  SECTION("broken before it starts") {
    TemporaryFolder folder;
    const std::string file = folder / "users.db";
    std::ofstream(file) << "garbage that is no database, and long enough to be looked at";
    CHECK_THROWS_WITH(Daemon({}, with_database(file)), Catch::Contains("auth.database: " + file));
  }
  SECTION("readable by everybody") {
    WithUsers with;
    REQUIRE(with.user("add", "bob", "hunter2").code == 0);
    chmod(with.file.c_str(), 0644);
    const CommandOutcome outcome = with.server.control({"check", with.server.daemon.config_file()});
    CHECK_THAT(
        outcome.text,
        Catch::Contains(with.file + ": this file has secrets, and everybody on this machine can read it"));
  }
}

}  // namespace
}  // namespace turnpike::test
