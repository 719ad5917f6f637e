#include "daemon/file_watch.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "support/temporary_folder.hpp"

namespace turnpike::daemon {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

// A folder, and a watch of files in it.
class Watched {
 public:
  Watched() = default;
  ~Watched() { watch_.stop(); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  fs::path operator/(const std::string& name) const { return folder_ / name; }
  FileWatch& watch() { return watch_; }
  void watch(const std::string& name) { watch_.watch({folder_ / name}); }

  // Returns whether the watch reports a change after `change`.
  template <class Change>
  bool notices(const Change& change, std::chrono::milliseconds patience = 10s) {
    changes_ = 0;
    change();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (changes_ == 0 && io_.run_one_until(deadline) != 0) {
    }
    return changes_ != 0;
  }

 private:
  test::TemporaryFolder folder_;
  boost::asio::io_context io_;
  int changes_ = 0;
  FileWatch watch_{io_, [this] { ++changes_; }, 10ms};
};

// Renews a secret as Kubernetes does: it makes a new folder, and moves the link ..data to it.
void put_version(const Watched& secret, const std::string& version) {
  fs::create_directories(secret / version);
  write(secret / version / "tls.key", version);
  fs::create_directory_symlink(version, secret / "..data_tmp");
  fs::rename(secret / "..data_tmp", secret / "..data");
}

TEST_CASE("a file is watched through writing, moving, removing and new permissions", "[file_watch]") {
  Watched folder;
  write(folder / "key", "1");
  folder.watch("key");
  CHECK(folder.notices([&] { write(folder / "key", "2"); }));
  CHECK(folder.notices([&] {
    write(folder / "new", "3");
    fs::rename(folder / "new", folder / "key");
  }));
  CHECK(folder.notices([&] { write(folder / "key", "4"); }));  // the file that was moved there
  CHECK(folder.notices([&] { fs::permissions(folder / "key", fs::perms::owner_read); }));
  CHECK(folder.notices([&] {
    fs::remove(folder / "key");
    write(folder / "key", "5");
  }));
  CHECK_FALSE(folder.notices([&] { write(folder / "other", "6"); }, 200ms));
  CHECK_FALSE(folder.watch().misses_some());
}

TEST_CASE("a file that is mounted by itself is watched itself", "[file_watch]") {
  Watched folder;
  write(folder / "key", "1");
  fs::create_directory(folder / "elsewhere");
  fs::create_hard_link(folder / "key", folder / "elsewhere/key");  // what a mount of one file looks like
  folder.watch("key");
  CHECK(folder.notices([&] { write(folder / "elsewhere/key", "2"); }));
}

TEST_CASE("a link on the way to a file that is replaced is noticed, again and again", "[file_watch]") {
  Watched secret;
  put_version(secret, "..1");
  fs::create_symlink("..data/tls.key", secret / "tls.key");
  secret.watch("tls.key");
  for (const char* version : {"..2", "..3"}) {
    CHECK(secret.notices([&] { put_version(secret, version); }));
  }
  fs::remove_all(secret / "..1");
  CHECK(secret.notices([&] { write(secret / "..3/tls.key", "in place"); }));
  CHECK_FALSE(secret.notices([&] { write(secret / "..2/tls.key", "left behind"); }, 200ms));
}

TEST_CASE("a link to another folder, by its whole name or from its parent, is followed", "[file_watch]") {
  Watched folder;
  for (const char* version : {"1", "2", "3"}) {
    fs::create_directories(folder / version);
    write(folder / version / "key", version);
  }
  fs::create_directory(folder / "live");
  fs::create_directory_symlink(folder / "1", folder / "live/current");
  folder.watch("live/current/key");
  for (const fs::path& next : {fs::path("../live/./../2"), folder / "3"}) {
    CAPTURE(next);
    CHECK(folder.notices([&] {
      fs::create_directory_symlink(next, folder / "new");
      fs::rename(folder / "new", folder / "live/current");
    }));
    CHECK(folder.notices([&] { write(folder / next.filename().string() / "key", "again"); }));
  }
}

TEST_CASE("a folder that is removed and made again is watched again", "[file_watch]") {
  Watched folder;
  const auto make = [&] {
    fs::create_directories(folder / "a/b");
    write(folder / "a/b/key", "new");
  };
  make();
  folder.watch("a/b/key");
  for (int i = 0; i < 2; ++i) {
    CHECK(folder.notices([&] { fs::remove_all(folder / "a"); }));
    CHECK(folder.notices(make));
    CHECK(folder.notices([&] { write(folder / "a/b/key", "again"); }));
  }
  CHECK(folder.notices([&] {
    fs::rename(folder / "a", folder / "old");
    make();
  }));
  CHECK(folder.notices([&] { write(folder / "a/b/key", "again"); }));
  CHECK_FALSE(folder.notices([&] { write(folder / "old/b/key", "of old"); }, 200ms));
}

TEST_CASE("links that lead in a circle, and files that are gone, take few watches", "[file_watch]") {
  Watched folder;
  fs::create_symlink("round", folder / "round");
  folder.watch("round/key");
  CHECK(folder.watch().watches() <= 4);
  folder.watch("no/such/folder/key");
  CHECK(folder.watch().watches() <= 4);
  CHECK(folder.notices([&] { fs::create_directories(folder / "no/such/folder"); }));
  CHECK(folder.notices([&] { write(folder / "no/such/folder/key", "1"); }));
  const std::size_t watches = folder.watch().watches();
  for (int i = 0; i < 100; ++i) CHECK(folder.notices([&] { write(folder / "no/such/folder/key", "1"); }));
  CHECK(folder.watch().watches() == watches);
}

}  // namespace
}  // namespace turnpike::daemon
