#include "daemon/certificate_follower.hpp"

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "support/certificate.hpp"
#include "support/temporary_folder.hpp"

namespace turnpike::daemon {
namespace {

using namespace std::chrono_literals;

// Certificates in their own files, and the lines that are logged about them.
class FollowedFiles {
 public:
  explicit FollowedFiles(const test::Certificate& first) {
    put(first);
    net::TlsParams params;
    params.certificate = {folder_ / "tls.crt", net::PemSource::Kind::file};
    params.private_key = {folder_ / "tls.key", net::PemSource::Kind::file};
    certificates_ = Certificates::load(params, std::make_shared<net::TicketKeys>());
    follower_.emplace(
        io_, *certificates_,
        CertificateFollower::Hooks{
            .say = [this](spdlog::level::level_enum, const std::string& line) { said_.push_back(line); },
            .renewed = [this] { renewed_as_.push_back(name()); }},
        CertificateFollower::Periods{.check = 1ms, .warn = 0ms});
  }
  ~FollowedFiles() { follower_->stop(); }
  FollowedFiles(const FollowedFiles&) = delete;
  FollowedFiles& operator=(const FollowedFiles&) = delete;

  void put(const test::Certificate& made) const {
    folder_.write("tls.crt", made.certificate);
    folder_.write("tls.key", made.private_key);
  }
  CertificateFollower& follower() { return *follower_; }
  std::string name() const { return certificates_->public_name(); }
  const std::vector<std::string>& said() const { return said_; }
  // The name of the certificate in use, each time that others are.
  const std::vector<std::string>& renewed_as() const { return renewed_as_; }
  // Waits until there are this many lines. Returns whether they have come.
  bool wait_for_lines(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (said_.size() < count && io_.run_one_until(deadline) != 0) continue;
    return said_.size() >= count;
  }
  void look(int times) {
    for (int i = 0; i < times; ++i) io_.run_one_for(10s);
  }

 private:
  test::TemporaryFolder folder_;
  boost::asio::io_context io_;
  std::unique_ptr<Certificates> certificates_;
  std::vector<std::string> said_;
  std::vector<std::string> renewed_as_;
  std::optional<CertificateFollower> follower_;
};

// While this object exists, no file can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE("a renewal that could not be read at first is read later, and one line says what was wrong",
          "[file_watch]") {
  FollowedFiles files(test::make_certificate("DNS:old.example"));
  files.put(test::make_certificate("DNS:new.example"));
  {
    const NoDescriptors none;
    files.follower().follow();
    files.look(5);
  }
  CHECK(files.name() == "old.example");
  REQUIRE(files.said().size() == 1);
  CHECK_THAT(files.said().front(), Catch::Contains("Too many open files"));
  REQUIRE(files.wait_for_lines(2));
  CHECK(files.said().back() == "the certificate files have changed and were read again");
  CHECK(files.name() == "new.example");
  CHECK(files.renewed_as() == std::vector<std::string>{"new.example"});
}

TEST_CASE("the warning about an invalid certificate is repeated after some time", "[file_watch]") {
  constexpr long kHour = 60 * 60;
  FollowedFiles files(test::make_certificate("DNS:old.example", "a", {-2 * kHour, -kHour}));
  REQUIRE(files.wait_for_lines(3));
  for (const std::string& line : files.said()) CHECK_THAT(line, Catch::Contains("has expired at"));
}

}  // namespace
}  // namespace turnpike::daemon
