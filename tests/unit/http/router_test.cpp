#include "http/router.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <string>

namespace turnpike::http {
namespace {

// Makes a handler whose answer is its name.
Handler named(std::string name) {
  return [name = std::move(name)](const Request&) -> Awaitable<Response> {
    Response response;
    response.body = name;
    co_return response;
  };
}

Response route(const Router& router, std::string_view method, std::string path) {
  Request request;
  request.method = method;
  request.path = std::move(path);
  Response answer;
  boost::asio::io_context io;
  boost::asio::co_spawn(io.get_executor(), router.handle(request),
                        [&](const std::exception_ptr& failure, Response response) {
                          CHECK_FALSE(failure);
                          answer = std::move(response);
                        });
  io.run();
  return answer;
}

// Returns the body of a 200, or the status and the Allow header.
std::string outcome(const Router& router, std::string_view method, std::string path) {
  const Response response = route(router, method, std::move(path));
  if (response.status == 200) return std::get<std::string>(response.body);
  std::string text = std::to_string(response.status);
  for (const auto& [name, value] : response.headers) {
    if (name == "Allow") text += " Allow: " + value;
  }
  return text;
}

TEST_CASE("a request goes to the handler of its path and method, HEAD to that of GET", "[http]") {
  Router router;
  router.add("GET", "/a", named("get a"));
  router.add("POST", "/a", named("post a"));
  router.add("POST", "/b", named("post b"));
  CHECK(outcome(router, "GET", "/a") == "get a");
  CHECK(outcome(router, "HEAD", "/a") == "get a");
  CHECK(outcome(router, "POST", "/a") == "post a");
  CHECK(outcome(router, "POST", "/b") == "post b");
}

TEST_CASE("a method that a path does not take is answered with 405 and the methods that it takes", "[http]") {
  Router router;
  router.add("GET", "/a", named("get a"));
  router.add("POST", "/a", named("post a"));
  router.add("POST", "/b", named("post b"));
  CHECK(outcome(router, "DELETE", "/a") == "405 Allow: GET, HEAD, POST");
  CHECK(outcome(router, "GET", "/b") == "405 Allow: POST");
  CHECK(outcome(router, "HEAD", "/b") == "405 Allow: POST");
  CHECK(outcome(router, "get", "/a") == "405 Allow: GET, HEAD, POST");  // methods are case-sensitive
}

TEST_CASE("a path without a route goes to the fallback, by GET and HEAD alone", "[http]") {
  Router router;
  router.add("POST", "/b", named("post b"));
  CHECK(outcome(router, "GET", "/x") == "404");
  CHECK(outcome(router, "POST", "/x") == "404");
  router.set_fallback(named("fallback"));
  CHECK(outcome(router, "GET", "/x") == "fallback");
  CHECK(outcome(router, "HEAD", "/") == "fallback");
  CHECK(outcome(router, "POST", "/x") == "405 Allow: GET, HEAD");
  CHECK(outcome(router, "GET", "/b") == "405 Allow: POST");  // the path has a route, so no fallback
  CHECK(outcome(router, "GET", "/b/") == "fallback");
}

TEST_CASE("a path where nothing is gets the same answer for all methods", "[http]") {
  Router router;
  router.set_fallback(
      [](const Request&) -> Awaitable<Response> { co_return error_response(404, "nothing"); });
  for (const char* method : {"GET", "HEAD", "POST", "DELETE"}) CHECK(outcome(router, method, "/x") == "404");
}

TEST_CASE("a path that ends with an asterisk stands for all below it, the longest before others", "[http]") {
  Router router;
  router.add("DELETE", "/a/*", named("one of a"));
  router.add("DELETE", "/a/b", named("b itself"));
  router.add(std::string(Router::kAnyMethod), "/a/c/*", named("below c"));
  CHECK(outcome(router, "DELETE", "/a/1-2") == "one of a");
  CHECK(outcome(router, "DELETE", "/a/b") == "b itself");
  CHECK(outcome(router, "GET", "/a/1-2") == "405 Allow: DELETE");
  CHECK(outcome(router, "DELETE", "/a/") != "one of a");
  CHECK(outcome(router, "DELETE", "/ab/c") != "one of a");
  CHECK(outcome(router, "DELETE", "/a/1/2/") == "one of a");
  CHECK(outcome(router, "DELETE", "/a/c") == "one of a");
  CHECK(outcome(router, "DELETE", "/a/c/") == "one of a");
  CHECK(outcome(router, "DELETE", "/a/c/d") == "below c");
  CHECK(outcome(router, "PUT", "/a/c/d/e") == "below c");
}

}  // namespace
}  // namespace turnpike::http
