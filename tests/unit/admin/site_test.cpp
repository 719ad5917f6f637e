#include "admin/site.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/manual_clock.hpp"

namespace turnpike::admin {
namespace {

using http::Awaitable;
namespace json = boost::json;

// Has allocations, and nothing else.
class ListedAllocations final : public Service {
 public:
  explicit ListedAllocations(AllocationList list) : list_(std::move(list)) {}

  std::vector<Metric> metrics() override { return {}; }
  bool is_ready() const override { return true; }
  json::object status() override { return {}; }
  Awaitable<AllocationList> allocations() override { co_return list_; }
  Awaitable<bool> kill(unsigned, std::uint64_t) override { co_return false; }
  void drain(const DrainOptions&) override {}
  Awaitable<ReloadReport> reload(bool) override { co_return ReloadReport(); }
  bool set_log_level(std::string_view) override { return false; }
  void on_refused(const http::Refused&) override {}
  json::array nodes() override { return {}; }
  Awaitable<json::object> end_user(std::string) override { co_return json::object(); }
  Result<json::object, Refusal> list_users(const std::string&, std::size_t) override {
    return json::object();
  }
  Awaitable<Result<json::object, Refusal>> change_users(UserChange) override { co_return json::object(); }
  Awaitable<Result<json::object, Refusal>> revoke(auth::Revocation::Kind, std::string,
                                                  std::chrono::seconds) override {
    co_return json::object();
  }

 private:
  AllocationList list_;
};

AllocationOf numbered(std::uint64_t number) {
  AllocationOf one;
  one.worker = 1;
  one.allocation.number = number;
  one.allocation.username = "ann \"1\"";
  return one;
}

std::vector<AllocationOf> so_many(std::uint64_t count) {
  std::vector<AllocationOf> all;
  for (std::uint64_t number = 0; number < count; ++number) all.push_back(numbered(number));
  return all;
}

// A request of turnpikectl for all allocations.
class Listing {
 public:
  explicit Listing(AllocationList list) : service_(std::move(list)) {
    site_.add_routes(router_);
    request_.method = "GET";
    request_.path = request_.target = "/v1/allocations";
    request_.by_unix_socket = true;
    boost::asio::co_spawn(io.get_executor(), router_.handle(request_),
                          [this](const std::exception_ptr& failure, http::Response response) {
                            CHECK_FALSE(failure);
                            answer = std::move(response);
                          });
  }
  std::string text() const { return std::get<std::string>(answer.value().body); }

  boost::asio::io_context io;
  std::optional<http::Response> answer;

 private:
  ListedAllocations service_;
  test::ManualClock clock_;
  Site site_{service_, {}, [this] { return clock_.now(); }};
  http::Router router_;
  http::Request request_;
};

TEST_CASE("a long list is made in pieces, between which health checks are answered", "[admin]") {
  Listing listing(AllocationList{so_many(10'000)});
  int others = 0;
  while (!listing.answer) {
    boost::asio::post(listing.io, [&] { ++others; });
    REQUIRE(listing.io.run_one() == 1);
  }
  CHECK(others > 100);
  const json::array all = json::parse(listing.text()).at("allocations").as_array();
  REQUIRE(all.size() == 10'000);
  CHECK(all.at(9'999).at("id") == "1-9999");
  CHECK(all.at(9'999).at("user") == "ann \"1\"");
}

TEST_CASE("a list of any length is JSON, and says whether it is complete", "[admin]") {
  for (const std::uint64_t count : {0, 1, 63, 64, 65, 128, 129}) {
    for (const bool complete : {true, false}) {
      CAPTURE(count, complete);
      Listing listing(AllocationList{so_many(count), complete});
      listing.io.run();
      REQUIRE(listing.answer);
      const json::value value = json::parse(listing.text());
      CHECK(value.at("allocations").as_array().size() == count);
      CHECK(value.at("complete").as_bool() == complete);
    }
  }
}

}  // namespace
}  // namespace turnpike::admin
