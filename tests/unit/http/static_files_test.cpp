#include "http/static_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "support/temporary_folder.hpp"

namespace turnpike::http {
namespace {

namespace fs = std::filesystem;

// A folder `site` that is removed at the end, beside a file `secret` that no request may reach.
class Folder {
 public:
  Folder() {
    fs::create_directory(site());
    root_.write("secret", "secret");
  }

  fs::path site() const { return root_ / "site"; }
  void add(const std::string& path, const std::string& text) const {
    fs::create_directories((site() / path).parent_path());
    root_.write("site/" + path, text);
  }
  // Sets the time of the file's last change.
  void change(const std::string& path, std::time_t time) const {
    const timespec times[] = {{time, 0}, {time, 0}};
    REQUIRE(utimensat(AT_FDCWD, (site() / path).c_str(), times, 0) == 0);
  }

 private:
  test::TemporaryFolder root_;
};

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

Response get(StaticFiles& files, const std::string& path, Headers headers = {}) {
  Request request;
  request.method = "GET";
  request.target = request.path = path;
  request.headers = std::move(headers);
  return files.serve(request);
}

Response get(const Folder& folder, const std::string& path, Headers headers = {}) {
  StaticFiles files(folder.site().string());
  return get(files, path, std::move(headers));
}

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "none";
}

std::string text_of(const Response& response) {
  const auto& body = std::get<FileBody>(response.body);
  std::string text(body.size, ' ');
  const ssize_t size = pread(body.file.get(), text.data(), text.size(), static_cast<off_t>(body.start));
  REQUIRE(size == static_cast<ssize_t>(text.size()));
  return text;
}

TEST_CASE("a file is served with the content type of its ending, in capitals too", "[http]") {
  const Folder folder;
  folder.add("index.html", "home");
  folder.add("a/index.html", "home of a");
  folder.add("a/PHOTO.JPG", "photo");
  folder.add("a/data", "data");
  folder.add("a/paper.pdf", "paper");
  CHECK(text_of(get(folder, "/")) == "home");
  CHECK(header(get(folder, "/"), "Content-Type") == "text/html; charset=utf-8");
  CHECK(text_of(get(folder, "/a/")) == "home of a");
  CHECK(header(get(folder, "/a/PHOTO.JPG"), "Content-Type") == "image/jpeg");
  CHECK(header(get(folder, "/a/paper.pdf"), "Content-Type") == "application/pdf");
  CHECK(header(get(folder, "/a/data"), "Content-Type") == "application/octet-stream");
  CHECK(get(folder, "/b").status == 404);
}

TEST_CASE("a folder without a slash at its end is redirected, with its query", "[http]") {
  const Folder folder;
  folder.add("a/index.html", "home of a");
  Request request;
  request.method = "GET";
  request.target = "/a?room=blue";
  request.path = "/a";
  const Response response = StaticFiles(folder.site().string()).serve(request);
  CHECK(response.status == 301);
  CHECK(header(response, "Location") == "/a/?room=blue");
}

TEST_CASE("nothing outside the folder is served, nor what is hidden, nor what is no file", "[http]") {
  const Folder folder;
  folder.add(".git/config", "hidden");
  folder.add(".well-known/security.txt", "contact");
  folder.add(".well-known/.hidden", "hidden");
  fs::create_symlink("../secret", folder.site() / "relative");
  fs::create_symlink(fs::absolute(folder.site() / "../secret"), folder.site() / "absolute");
  REQUIRE(mkfifo((folder.site() / "fifo").c_str(), 0600) == 0);
  for (const char* path : {"/../secret", "/a/../../secret", "/relative", "/absolute", "//etc/passwd",
                           "secret", "*", "", "/.git/config", "/.well-known/.hidden", "/fifo"}) {
    CAPTURE(path);
    CHECK(get(folder, path).status == 404);
  }
  CHECK(text_of(get(folder, "/.well-known/security.txt")) == "contact");
}

TEST_CASE("a file that the client has already is answered with 304", "[http]") {
  const Folder folder;
  folder.add("a.txt", "0123456789");
  const std::string etag = header(get(folder, "/a.txt"), "ETag");
  CHECK(get(folder, "/a.txt", {{"If-None-Match", etag}}).status == 304);
  CHECK(get(folder, "/a.txt", {{"If-None-Match", "\"other\""}}).status == 200);
}

TEST_CASE("a file has the date of its last change, once that second is over", "[http]") {
  const Folder folder;
  folder.add("a.txt", "0123456789");
  folder.change("a.txt", 784111777);
  CHECK(header(get(folder, "/a.txt"), "Last-Modified") == "Sun, 06 Nov 1994 08:49:37 GMT");
  folder.change("a.txt", std::time(nullptr) + 3600);
  CHECK(header(get(folder, "/a.txt"), "Last-Modified") == "none");
}

TEST_CASE("conditions are evaluated in the order of RFC 9110", "[http]") {
  const Folder folder;
  folder.add("a.txt", "0123456789");
  folder.change("a.txt", 784111777);
  const std::string etag = header(get(folder, "/a.txt"), "ETag");
  const std::string weak = "W/" + etag;
  constexpr std::string_view kThen = "Sun, 06 Nov 1994 08:49:37 GMT";
  constexpr std::string_view kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
  const auto status = [&](const Headers& headers) { return get(folder, "/a.txt", headers).status; };
  CHECK(status({{"If-Modified-Since", kThen}}) == 304);
  CHECK(status({{"If-Modified-Since", kBefore}}) == 200);
  CHECK(status({{"If-Modified-Since", "yesterday"}}) == 200);
  CHECK(status({{"If-Modified-Since", kThen}, {"If-None-Match", "\"other\""}}) == 200);
  CHECK(status({{"If-Modified-Since", kBefore}, {"If-None-Match", weak}}) == 304);
  CHECK(status({{"If-Match", "\"other\", " + etag}}) == 200);
  CHECK(status({{"If-Match", "*"}}) == 200);
  CHECK(status({{"If-Match", "\"other\""}}) == 412);
  CHECK(status({{"If-Match", weak}}) == 412);
  CHECK(status({{"If-Match", weak + ", " + etag}}) == 200);
  CHECK(status({{"If-Match", "\"other\""}, {"If-None-Match", etag}}) == 412);
  CHECK(status({{"If-Match", etag}, {"If-None-Match", etag}}) == 304);
  CHECK(status({{"If-Unmodified-Since", kThen}}) == 200);
  CHECK(status({{"If-Unmodified-Since", kBefore}}) == 412);
  CHECK(status({{"If-Unmodified-Since", kBefore}, {"If-Match", etag}}) == 200);
  CHECK(status({{"Range", "bytes=2-4"}, {"If-Range", kThen}}) == 206);
  CHECK(status({{"Range", "bytes=2-4"}, {"If-Range", kBefore}}) == 200);
  CHECK(get(folder, "/nothing", {{"If-Match", "*"}}).status == 404);
}

TEST_CASE("a range of a file is served alone, and one beyond its end is refused", "[http]") {
  const Folder folder;
  folder.add("a.txt", "0123456789");
  const Response part = get(folder, "/a.txt", {{"Range", "bytes=2-4"}});
  CHECK(part.status == 206);
  CHECK(header(part, "Content-Range") == "bytes 2-4/10");
  CHECK(text_of(part) == "234");
  const Response beyond = get(folder, "/a.txt", {{"Range", "bytes=10-"}});
  CHECK(beyond.status == 416);
  CHECK(header(beyond, "Content-Range") == "bytes */10");
  const Response changed = get(folder, "/a.txt", {{"Range", "bytes=2-4"}, {"If-Range", "\"other\""}});
  CHECK(changed.status == 200);
  CHECK(text_of(changed) == "0123456789");
}

TEST_CASE("a folder that is built anew is served, and while it is away one line says so", "[http]") {
  const Folder folder;
  folder.add("index.html", "first");
  std::vector<std::string> said;
  StaticFiles files(folder.site().string(), [&](const std::string& line) { said.push_back(line); });
  CHECK(text_of(get(files, "/")) == "first");
  for (const char* next : {"second", "third"}) {
    fs::remove_all(folder.site());
    for (int i = 0; i < 2; ++i) CHECK(get(files, "/").status == 404);
    folder.add("index.html", next);
    CHECK(get(files, "/nothing").status == 404);
    CHECK(text_of(get(files, "/")) == next);
  }
  const std::string line = "signaling.root: " + folder.site().string() + ": No such file or directory";
  CHECK(said == std::vector<std::string>{line, line});
}

TEST_CASE("a link to a folder is served as it is now", "[http]") {
  const Folder folder;
  folder.add("1/index.html", "first");
  folder.add("2/index.html", "second");
  const fs::path link = folder.site() / "current";
  fs::create_directory_symlink("1", link);
  StaticFiles files(link.string());
  CHECK(text_of(get(files, "/")) == "first");
  fs::create_directory_symlink("2", folder.site() / "next");
  fs::rename(folder.site() / "next", link);
  CHECK(text_of(get(files, "/")) == "second");
  fs::create_symlink("../1/index.html", folder.site() / "2" / "away.html");
  CHECK(get(files, "/away.html").status == 404);  // it leads out of the folder
}

TEST_CASE("a folder that is not there is refused with a message for the operator", "[http]") {
  CHECK_THROWS_WITH(StaticFiles("/nonexistent-turnpike"),
                    Catch::Contains("signaling.root: /nonexistent-turnpike"));
}

}  // namespace
}  // namespace turnpike::http
