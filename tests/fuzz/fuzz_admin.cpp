// Fuzzes requests to the admin listener: the first octet decides by which way and with which method the
// request comes, the first line is the target, and the rest is the body. Without the unix socket or a token,
// no request reaches a command, and every command is answered.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <exception>
#include <string>
#include <utility>

#include "admin/site.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "support/manual_clock.hpp"

namespace turnpike::fuzz {
namespace {

using namespace http;
namespace json = boost::json;

constexpr std::string_view kMethods[] = {"GET", "POST", "DELETE", "PUT"};

// Counts the commands, and checks their arguments.
class CheckedService : public admin::Service {
 public:
  std::size_t commands() const { return commands_; }

  std::vector<admin::Metric> metrics() override { return {}; }
  bool is_ready() const override { return true; }
  json::object status() override { return {{"version", "0"}}; }
  Awaitable<admin::AllocationList> allocations() override {
    ++commands_;
    co_return admin::AllocationList{std::vector<admin::AllocationOf>(2)};
  }
  Awaitable<bool> kill(unsigned worker, std::uint64_t number) override {
    ++commands_;
    co_return worker == 0 && number == 0;
  }
  void drain(const admin::DrainOptions& options) override {
    ++commands_;
    expect(
        !options.deadline || (options.deadline->count() >= 0 && *options.deadline <= std::chrono::hours(24)),
        "a drain ends within a day");
  }
  Awaitable<admin::ReloadReport> reload(bool dry_run) override {
    ++commands_;
    admin::ReloadReport report;
    report.ok = dry_run;
    co_return report;
  }
  bool set_log_level(std::string_view level) override {
    ++commands_;
    return level == "debug";
  }
  void on_refused(const http::Refused&) override {}
  json::array nodes() override {
    ++commands_;
    return {};
  }
  Awaitable<json::object> end_user(std::string user) override {
    ++commands_;
    expect(!user.empty(), "a user has a name");
    co_return json::object{{"everywhere", true}};
  }
  Result<json::object, admin::Refusal> list_users(const std::string& after, std::size_t limit) override {
    ++commands_;
    expect(after.size() <= auth::kMaxUserName, "a name has a bound");
    expect(limit >= 1 && limit <= admin::UserChange::kMaxListed, "a list has a bound");
    return json::object();
  }
  Awaitable<Result<json::object, admin::Refusal>> change_users(admin::UserChange change) override {
    ++commands_;
    expect(!change.users.empty() && change.users.size() <= admin::UserChange::kMaxUsers,
           "a change has a bound");
    for (const auth::UserParams& user : change.users) {
      const bool has_key = user.key_md5 || user.key_sha256;
      expect(change.kind == admin::UserChange::Kind::remove || user.password.has_value() != has_key,
             "a user has a password or keys");
    }
    co_return admin::Refusal{404, "no-such-user", "There is no such user."};
  }
  Awaitable<Result<json::object, admin::Refusal>> revoke(auth::Revocation::Kind, std::string,
                                                         std::chrono::seconds duration) override {
    ++commands_;
    expect(duration.count() >= 1 && duration <= std::chrono::hours(365 * 24), "a revocation ends");
    co_return json::object();
  }

 private:
  std::size_t commands_ = 0;
};

std::string_view body_of(const Response& response) {
  const auto* shared = std::get_if<std::string>(&response.body);
  return shared ? std::string_view(*shared) : std::string_view();
}

void check(Bytes bytes) {
  Input input(bytes);
  const std::uint8_t kind = input.u8();
  std::string_view text = as_text(input.rest());
  const std::string_view target = take_line(text);
  Request request;
  request.method = kMethods[kind % 4];
  request.by_unix_socket = (kind & 4) != 0;
  request.body = text;
  request.headers = {{"host", "localhost"}};  // which HTTP/1.1 wants
  if (take_target(target, HttpVersion::http_1_1, request)) return;

  test::ManualClock clock;
  CheckedService service;
  admin::Site site(
      service, (kind & 8) != 0 ? std::vector<std::string>{"0123456789abcdef"} : std::vector<std::string>(),
      [&clock] { return clock.now(); });
  Router router;
  site.add_routes(router);
  boost::asio::io_context io;
  std::optional<Response> answer;
  boost::asio::co_spawn(
      io.get_executor(), [&]() -> Awaitable<void> { answer = co_await router.handle(request); },
      [](const std::exception_ptr& failed) { expect(!failed, "no request throws"); });
  io.run();
  expect(answer.has_value(), "every request is answered");
  expect(answer->status >= 200 && answer->status < 600, "with a status");
  expect(request.by_unix_socket || service.commands() == 0,
         "commands are for the unix socket and for tokens");
  expect(service.commands() <= 1, "a request is one command");
  if (request.path.starts_with("/v1/")) {
    boost::system::error_code error;
    const json::value value = json::parse(body_of(*answer), error);
    expect(!error && value.is_object(), "all there is answered in JSON");
    if (answer->status >= 400 && answer->status != 422)
      expect(value.as_object().contains("error"), "and an error is one");
  }
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::fuzz::check({data, size});
  return 0;
}
