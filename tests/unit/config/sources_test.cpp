// Secrets from files and from the environment.
#include "config/sources.hpp"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <string>

#include "config/config.hpp"
#include "support/temporary_folder.hpp"

namespace turnpike::config {
namespace {

std::string errors_of(const std::string& text) {
  const auto config = parse(text, "t.yaml");
  std::string all;
  if (config.has_value()) return "none";
  for (const Error& error : config.error()) all += to_string(error);
  return all;
}

TEST_CASE("each secret may come from a file or from the environment", "[config]") {
  const test::TemporaryFolder folder;
  const std::string secret = folder.write("secret", "a secret of a file: #1\r\n");
  const std::string key = folder.write("key", "f624f14bddb844e1c2b4bb8c326011b3\n");
  setenv("TURNPIKE_TEST_SECRET", "a secret of the environment", 1);
  setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  const auto config = parse("auth:\n  secrets: [{file: " + secret +
                                "}, {env: TURNPIKE_TEST_SECRET}, 'written out here']\n"
                                "  users: {alice: {env: TURNPIKE_TEST_SECRET}, bob: {key_md5: {file: " +
                                key +
                                "}}, file: plain}\n"
                                "signaling: {token_secrets: [{file: $CREDENTIALS_DIRECTORY/secret}]}\n"
                                "admin: {token_secrets: [{env: TURNPIKE_TEST_SECRET}]}\n",
                            "t.yaml");
  REQUIRE(config.has_value());
  CHECK(config->auth.secrets == std::vector<std::string>{"a secret of a file: #1",
                                                         "a secret of the environment", "written out here"});
  CHECK(config->auth.users.at(0).password == "a secret of the environment");
  CHECK(config->auth.users.at(1).key_md5.has_value());
  CHECK(config->auth.users.at(2).password == "plain");  // a user of this name
  CHECK(config->signaling.token_secrets == std::vector<std::string>{"a secret of a file: #1"});
  CHECK(config->admin.token_secrets == std::vector<std::string>{"a secret of the environment"});
  CHECK(config->secret_files == std::vector<std::string>{key, secret, folder.path() + "/secret"});
  unsetenv("TURNPIKE_TEST_SECRET");
  unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_CASE("what is wrong with a source is said with its key and its name", "[config]") {
  const test::TemporaryFolder folder;
  const std::string empty = folder.write("empty", "\n");
  const std::string large = folder.write("large", std::string((64 << 10) + 1, 'x'));
  setenv("TURNPIKE_TEST_EMPTY", "", 1);
  const auto secret = [](const std::string& source) {
    return errors_of("auth: {secrets: [{" + source + "}]}");
  };
  const std::string at = "t.yaml:1: auth.secrets[0]: ";
  CHECK(secret("file: /no/such/file") == at + "file /no/such/file cannot be read: No such file or directory");
  CHECK(secret("file: " + empty) == at + "file " + empty + " is empty");
  CHECK(secret("file: " + large) == at + "file " + large + " is longer than 64 KiB");
  CHECK(secret("file: /dev/zero") == at + "file /dev/zero is not a regular file");
  CHECK(secret("env: TURNPIKE_TEST_EMPTY") == at + "environment variable TURNPIKE_TEST_EMPTY is empty");
  CHECK(secret("env: TURNPIKE_TEST_NONE") == at + "environment variable TURNPIKE_TEST_NONE is not set");
  const std::string expected = at + "expected a secret, or {file: PATH} or {env: NAME} (got a map)";
  CHECK(secret("file: /a, env: B") == expected);
  CHECK(secret("fil: /a") == expected);
  CHECK(errors_of("auth: {secrets: [{file: " + folder.write("short", "hunter2") + "}]}").find("hunter2") ==
        std::string::npos);
  unsetenv("TURNPIKE_TEST_EMPTY");
}

TEST_CASE("a certificate's key has the same sources", "[config]") {
  const test::TemporaryFolder folder;
  const std::string pem = folder.write("key.pem", "a key\n");
  const std::string certificate = "tls: {certificate: " + pem + ", private_key: ";
  setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  setenv("TURNPIKE_TEST_KEY", "a key", 1);
  setenv("TURNPIKE_TEST_EMPTY", "", 1);
  const auto key = [&](const std::string& source) {
    const auto config = parse(certificate + source + "}", "t.yaml");
    REQUIRE(config.has_value());
    return config->tls.private_key.describe();
  };
  CHECK(key(pem) == pem);
  CHECK(key("{file: " + pem + "}") == pem);
  CHECK(key("$CREDENTIALS_DIRECTORY/key.pem") == pem);
  CHECK(key("{file: $CREDENTIALS_DIRECTORY/key.pem}") == pem);
  CHECK(key("{env: TURNPIKE_TEST_KEY}") == "environment variable TURNPIKE_TEST_KEY");
  const auto more = parse(
      "tls: {certificates: [{certificate: " + pem + ", private_key: {env: TURNPIKE_TEST_KEY}}]}", "t.yaml");
  REQUIRE(more.has_value());
  CHECK(more->tls.certificates.front().private_key.kind == net::PemSource::Kind::variable);

  const auto problem = [&](const std::string& source) { return errors_of(certificate + source + "}"); };
  const std::string at = "t.yaml:1: tls.private_key: ";
  CHECK(problem("{env: TURNPIKE_TEST_EMPTY}") == at + "environment variable TURNPIKE_TEST_EMPTY is empty");
  CHECK(problem("{file: /no/such}") == at + "file /no/such cannot be read: No such file or directory");
  CHECK(problem("/tmp") == at + "file /tmp is not a regular file");
  CHECK(problem("{env: A, file: B}") == at + "expected a file that can be read, or {env: NAME} (got a map)");
  CHECK(problem("[a]") == at + "expected a file that can be read, or {env: NAME} (got a list)");
  const std::string inside = problem("\"-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIACgeMw\"");
  CHECK(inside.find("and not what is in it") != std::string::npos);
  CHECK(inside.find("MHc") == std::string::npos);
  unsetenv("CREDENTIALS_DIRECTORY");
  CHECK(problem("$CREDENTIALS_DIRECTORY/key.pem")
            .starts_with(at + "environment variable CREDENTIALS_DIRECTORY is not set"));
  CHECK(problem("$CREDENTIALS_DIRECTORYs/key.pem") ==
        at + "file $CREDENTIALS_DIRECTORYs/key.pem cannot be read: No such file or directory");
  unsetenv("TURNPIKE_TEST_KEY");
  unsetenv("TURNPIKE_TEST_EMPTY");
}

TEST_CASE("an error of a source names the member that has it", "[config]") {
  const std::string none = "{file: /no/such}";
  const std::string why = ": file /no/such cannot be read: No such file or directory";
  CHECK(errors_of("auth: {users: {alice: " + none + "}}") == "t.yaml:1: auth.users.alice" + why);
  CHECK(errors_of("auth: {users: {bob: {key_md5: " + none + "}}}")
            .starts_with("t.yaml:1: auth.users.bob.key_md5" + why));
  CHECK(errors_of("cluster: {redis: {url: 'redis://10.0.0.9', password: " + none + "}}")
            .starts_with("t.yaml:1: cluster.redis.password" + why));
}

TEST_CASE("another secret in the same file is a change of its key", "[config]") {
  const test::TemporaryFolder folder;
  const std::string file = folder.write("secret", "the first of the secrets");
  const std::string text = "auth: {secrets: [{file: " + file + "}]}";
  const auto before = parse(text, "t.yaml");
  folder.write("secret", "the second of the secrets");
  const auto after = parse(text, "t.yaml");
  REQUIRE(before.has_value());
  REQUIRE(after.has_value());
  const std::vector<ChangedKey> changes = find_changes(*before, *after);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].path == "auth.secrets");
  CHECK(changes[0].change == "changed");
}

TEST_CASE("the secrets of a cluster may have the same sources", "[config]") {
  const test::TemporaryFolder folder;
  const std::string secret = folder.write("secret", "a secret of all nodes\n");
  const std::string password = folder.write("password", "a password of Redis\n");
  const auto one =
      parse("cluster: {node: a.example.org, secret: {file: " + secret +
                "}, redis: {url: 'redis://10.0.0.9:6379/0', password: {file: " + password + "}}}\n",
            "t.yaml");
  REQUIRE(one.has_value());
  CHECK(one->cluster.secrets == std::vector<std::string>{"a secret of all nodes"});
  CHECK(one->cluster.redis.host == "10.0.0.9");
  CHECK(one->cluster.redis.password == "a password of Redis");
  CHECK(one->secret_files.size() == 2);
  const auto more = parse("cluster: {node: a.example.org, secret: [{file: " + secret +
                              "}, written out in the file], redis: {file: " +
                              folder.write("url", "unix:/run/redis.sock\n") + "}}\n",
                          "t.yaml");
  REQUIRE(more.has_value());
  CHECK(more->cluster.secrets.size() == 2);
  CHECK(more->cluster.redis.unix_socket == "/run/redis.sock");
}

}  // namespace
}  // namespace turnpike::config
