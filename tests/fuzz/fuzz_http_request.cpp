// Fuzzes the head of a request: the first line is the target, and each further line is a header, "Name:
// value". The first octet decides on method and version.
#include <algorithm>
#include <string>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "http/accept_encoding.hpp"
#include "http/conditional.hpp"
#include "http/message.hpp"
#include "http/to_https.hpp"

namespace turnpike::fuzz {
namespace {

using namespace http;

constexpr std::string_view kMethods[] = {"GET", "POST", "OPTIONS", "HEAD"};

// Returns whether the text may be in one of our headers.
bool is_url_text(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>'; });
}

void check_target(const Request& request, HttpVersion version) {
  if (!request.authority.empty()) {
    expect(parse_host_and_port(request.authority).has_value(), "an authority has a host");
  }
  expect(request.path.find('\0') == std::string::npos, "a path is a name");
  const bool asterisk = request.target == "*" && request.method == "OPTIONS";
  expect(asterisk || request.target.starts_with('/'), "every form becomes one");
  expect(is_url_text(request.target), "a target is safe to be sent back");

  Request again;
  again.method = request.method;
  again.headers = request.headers;
  expect(!take_target(request.target, version, again), "what was accepted is accepted again");
  expect(again.target == request.target && again.path == request.path, "and is the same");
}

void check_redirect(const Request& request, net::ToHttps where) {
  const Response response = to_https(request, where);
  expect(response.status == 308 || response.status == 400, "by https or not at all");
  for (const auto& [name, value] : response.headers) {
    if (name == "Location")
      expect(value.starts_with("https://") && is_url_text(value), "a Location is a URL");
  }
}

// Checks lists that are in one line.
void check_lists(const Request& request) {
  for (const std::string_view name : {"accept-encoding", "if-none-match", "x-forwarded-for", "range"}) {
    const std::string list = request.header_list(name);
    Request joined;
    joined.headers = {{name, list}};
    expect(joined.header_list(name) == list, "a list of one line is that line");
    expect(joined.header(name) == list, "whoever looks at one line sees the same");
    std::string_view left = list;
    for (auto one = take_last_member(left); !one.empty(); one = take_last_member(left)) {
      expect(one.find(',') == std::string_view::npos, "a member is one member");
      expect(one.front() != ' ' && one.back() != ' ', "and has no white space around it");
    }
    expect(left.find_first_not_of(", \t") == std::string_view::npos, "no member is lost");
    for (const auto& [field, value] : request.headers) {
      if (field == name) expect(list.find(value) != std::string::npos, "no line is lost");
    }
  }
  const std::string codings = request.header_list("accept-encoding");
  expect(!accepts_gzip(codings) || codings.find("zip") != std::string::npos ||
             codings.find('*') != std::string::npos || codings.find_first_of("ZIP") != std::string::npos,
         "nobody gets what was not named");
  const Version version{.etag = quoted_etag("tag"), .modified = 784111777};
  (void)evaluate_conditions(request, version);
  (void)is_same_for_range(request, version);
}

void check(Bytes bytes) {
  Input input(bytes);
  const std::uint8_t kind = input.u8();
  std::string_view text = as_text(input.rest());
  const std::string_view target = take_line(text);
  Request request;
  request.method = kMethods[kind % 4];
  const auto version = (kind & 4) != 0 ? HttpVersion::http_1_0 : HttpVersion::http_1_1;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos)
      request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  check_lists(request);
  if (take_target(target, version, request)) return;
  check_target(request, version);
  for (const net::ToHttps where : {net::ToHttps::same_port, net::ToHttps::port_443})
    check_redirect(request, where);
  (void)request.query("service");
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::fuzz::check({data, size});
  return 0;
}
