// Compares the files in conf/ with the code.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "config/value.hpp"
#include "describe.hpp"

namespace turnpike::config {
namespace {

using test::outcome;

std::string conf_file(const std::string& name) { return TURNPIKE_SOURCE_DIR "/conf/" + name; }

// Returns the lines of a file. A key that is commented out, such as " # users: {...}", loses its "# ".
std::vector<std::string> uncommented_lines(const std::string& file) {
  std::ifstream stream(file);
  REQUIRE(stream);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line); lines.push_back(line)) {
    const std::size_t hash = line.find_first_not_of(' ');
    if (hash == std::string::npos || line.compare(hash, 2, "# ") != 0) continue;
    const std::size_t colon = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", hash + 2);
    if (colon != std::string::npos && colon > hash + 2 && line[colon] == ':') line.erase(hash, 2);
  }
  return lines;
}

// Returns the paths of the keys in a block of YAML whose sections are indented by two.
std::set<std::string> paths_in(const std::vector<std::string>& lines) {
  std::set<std::string> paths;
  std::vector<std::string> sections;
  for (const std::string& line : lines) {
    const std::size_t indent = line.find_first_not_of(' ');
    const std::size_t colon = line.find(':');
    if (indent == std::string::npos || line[indent] == '#' || line[indent] == '-') continue;
    REQUIRE(colon != std::string::npos);
    std::string path = line.substr(indent, colon - indent);
    sections.resize(std::min(sections.size(), indent / 2));
    if (!sections.empty()) path = join(sections.back(), path);
    paths.insert(path);
    sections.push_back(path);
  }
  return paths;
}

// Keys that are commented out show their defaults too, unless the default is empty.
void check_shown_defaults(const Config& shown) {
  for (const KnownKey& key : known_keys()) {
    if (key.default_value.empty() || key.default_value == "[]" || key.default_value == "{}") continue;
    const std::string path(key.path);
    CAPTURE(path);
    const auto with_default = parse("", "t.yaml", {path + '=' + std::string(key.default_value)});
    REQUIRE(with_default.has_value());
    CHECK(shown.written.at(path) == with_default->written.at(path));
  }
}

TEST_CASE("conf/turnpike.yaml shows every key with its default", "[config]") {
  const std::string file = conf_file("turnpike.yaml");
  CHECK(outcome(load(file)) == outcome(""));

  const std::set<std::string> shown = paths_in(uncommented_lines(file));
  std::vector<std::string> missing;
  for (const KnownKey& key : known_keys()) {
    if (!shown.contains(std::string(key.path))) missing.emplace_back(key.path);
  }
  CAPTURE(missing);
  CHECK(missing.empty());
}

TEST_CASE("the examples in conf/turnpike.yaml are valid once their comment is taken away", "[config]") {
  std::string text;
  for (const std::string& line : uncommented_lines(conf_file("turnpike.yaml"))) {
    text += line + '\n';
  }
  // Files that the example needs are not on every machine, so other files replace them.
  const auto replace = [&](const std::string& example, const std::string& there) {
    REQUIRE(text.find(example) != std::string::npos);
    text.replace(text.find(example), example.size(), there);
  };
  replace("/etc/turnpike/fullchain.pem", TURNPIKE_SOURCE_DIR "/README.md");
  replace("/etc/turnpike/privkey.pem", TURNPIKE_SOURCE_DIR "/README.md");
  replace("/etc/turnpike/other.pem", TURNPIKE_SOURCE_DIR "/README.md");
  replace("/etc/turnpike/other.key", TURNPIKE_SOURCE_DIR "/README.md");
  replace("/srv/my-front-end", TURNPIKE_SOURCE_DIR);
  replace("/var/lib/turnpike/users.db", TURNPIKE_SOURCE_DIR "/users.db");
  const Result<Config, Errors> loaded = parse(text, "turnpike.yaml");
  INFO(outcome(loaded));
  REQUIRE(loaded.has_value());
  check_shown_defaults(*loaded);
  CHECK(loaded->auth.users.size() == 2);
  CHECK(loaded->auth.secrets.size() == 1);
  CHECK(loaded->auth.third_party.keys.size() == 1);
  CHECK(loaded->relay.advertise.size() == 1);
  CHECK(loaded->relay.alternates.servers.size() == 2);
  CHECK(loaded->nat_discovery.alternates.size() == 1);
  CHECK(loaded->signaling.enabled);
  CHECK(loaded->signaling.token_secrets.size() == 1);
}

TEST_CASE("conf/dev.yaml listens on both families by UDP and TCP, and leaves the credentials to tools/run",
          "[config]") {
  const Result<Config, Errors> loaded = load(conf_file("dev.yaml"), {"auth.users={dev: x}"});
  INFO(outcome(loaded));
  REQUIRE(loaded.has_value());
  CHECK(loaded->auth.realm == "turnpike.dev");
  CHECK(loaded->listen.size() == 4);
  CHECK(loaded->log.level == LogLevel::info);
  CHECK(loaded->auth.users.size() == 1);
}

}  // namespace
}  // namespace turnpike::config
