#include "daemon/log.hpp"

#include <spdlog/details/log_msg.h>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "support/failing_new.hpp"

namespace turnpike::daemon {
namespace {

using test::FailingNew;

constexpr std::string_view kOutOfMemory =
    "out of memory: new requests are refused, and existing allocations go on";

// Formats a line while the first call of operator new would fail.
std::string format_without_memory(config::LogFormat format, std::string_view words) {
  const auto formatter = make_formatter(format);
  const spdlog::details::log_msg message("turnpike", spdlog::level::err,
                                         spdlog::string_view_t(words.data(), words.size()));
  spdlog::memory_buf_t line;
  FailingNew::fail(1);
  {
    const FailingNew::Counting counting;
    formatter->format(message, line);
  }
  const bool needed_none = FailingNew::is_pending();
  FailingNew::fail(0);
  CHECK(needed_none);
  return {line.data(), line.size()};
}

TEST_CASE("a line about a lack of memory needs no memory", "[daemon]") {
  CHECK_THAT(format_without_memory(config::LogFormat::text, kOutOfMemory),
             Catch::EndsWith(" error " + std::string(kOutOfMemory) + '\n'));
  const std::string json = format_without_memory(config::LogFormat::json, kOutOfMemory);
  CHECK(boost::json::parse(json).at("message").as_string() == kOutOfMemory);
}

TEST_CASE("a long line of JSON is written in pieces and stays JSON", "[daemon]") {
  std::string words;
  for (int i = 0; i < 300; ++i) words += "\u738b\"\n";
  const spdlog::details::log_msg message("turnpike", spdlog::level::info, words);
  spdlog::memory_buf_t line;
  make_formatter(config::LogFormat::json)->format(message, line);
  CHECK(boost::json::parse({line.data(), line.size()}).at("message").as_string() == words);
}

}  // namespace
}  // namespace turnpike::daemon
