// A request to the admin listener: the first octet decides on method and door, the first line is the target,
// the second one a token, and the rest is the body.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

#include "admin/site.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "http/router.hpp"

namespace turnpike::fuzz {
namespace {

constexpr std::string_view kMethods[] = {"GET", "POST", "DELETE", "HEAD"};

// Notes what a request brought about.
class Service : public admin::Service {
 public:
  std::vector<admin::Metric> metrics() override { return {}; }
  bool is_ready() const override { return true; }
  boost::json::object status() override { return {{"ready", true}}; }
  http::Awaitable<std::vector<admin::AllocationOf>> allocations() override {
    admin::AllocationOf one{.worker = 1, .allocation = {}};
    one.allocation.username = "a\"b\\\n";
    co_return std::vector{one};
  }
  http::Awaitable<bool> kill(unsigned worker, std::uint64_t number) override {
    ++done;
    co_return worker == 1 && number == 17;
  }
  void drain(const admin::DrainOptions& options) override {
    ++done;
    expect(!options.deadline || options.deadline->count() <= 86'400, "a drain is over within a day");
  }
  http::Awaitable<admin::ReloadReport> reload(bool) override {
    ++done;
    co_return admin::ReloadReport{.ok = false, .errors = {"t.yaml:1: \"x\""}};
  }
  bool set_log_level(std::string_view level) override {
    ++done;
    return level == "debug";
  }

  int done = 0;
};

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

http::Response answer_of(http::Router& router, const http::Request& request) {
  boost::asio::io_context io;
  std::optional<http::Response> response;
  boost::asio::co_spawn(
      io, [&]() -> http::Awaitable<void> { response = co_await router.handle(request); },
      [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
      });
  io.run();
  expect(response.has_value(), "every request is answered");
  return std::move(*response);
}

void check(Bytes bytes) {
  Service service;
  admin::Site site(service, {"a-secret-that-nobody-guesses"}, [] { return TimePoint(); });
  http::Router router;
  site.add_routes(router);

  Input input(bytes);
  const std::uint8_t kind = input.u8();
  std::string_view text = as_text(input.rest());
  http::Request request;
  request.method = kMethods[kind % 4];
  request.by_unix_socket = (kind & 4) != 0;
  if (http::take_target(take_line(text), http::HttpVersion::http_1_1, request)) return;
  const std::string token = std::string("Bearer ").append(take_line(text));
  request.headers.emplace_back("Authorization", token);
  request.body = text;

  const http::Response response = answer_of(router, request);
  expect(response.status >= 200 && response.status < 500, "a bad request is no fault of the server");
  if (service.done != 0) {
    expect(request.by_unix_socket, "nobody does anything without a token");
    expect(request.method != "GET" && request.method != "HEAD", "whoever asks changes nothing");
    expect(service.done == 1, "one request does one thing");
  }
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::fuzz::check({data, size});
  return 0;
}
