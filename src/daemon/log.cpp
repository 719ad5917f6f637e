#include "daemon/log.hpp"

#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>

namespace turnpike::daemon {
namespace {

constexpr std::size_t kWaitingLines = 8192;

// The message as a JSON string, quotes included.
class JsonMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text =
        boost::json::serialize(boost::json::string_view(message.payload.data(), message.payload.size()));
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

std::unique_ptr<spdlog::formatter> make_formatter(config::LogFormat format) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (format == config::LogFormat::json) {
    formatter->add_flag<JsonMessage>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%*})");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v");
  }
  return formatter;
}

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug: return spdlog::level::debug;
    case config::LogLevel::info: return spdlog::level::info;
    case config::LogLevel::warning: return spdlog::level::warn;
    case config::LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void set_level(config::LogLevel level) { spdlog::set_level(to_spdlog(level)); }

bool set_level(std::string_view level) {
  constexpr std::array<std::pair<std::string_view, config::LogLevel>, 4> kLevels{
      {{"debug", config::LogLevel::debug},
       {"info", config::LogLevel::info},
       {"warning", config::LogLevel::warning},
       {"error", config::LogLevel::error}}};
  const auto* const known =
      std::ranges::find(kLevels, level, &std::pair<std::string_view, config::LogLevel>::first);
  if (known == kLevels.end()) return false;
  set_level(known->second);
  return true;
}

void LogScope::use(const config::LogParams& params) {
  spdlog::default_logger()->set_formatter(make_formatter(params.format));
  set_level(params.level);
}

LogScope::LogScope(const config::LogParams& params) {
  spdlog::init_thread_pool(kWaitingLines, 1);
  auto logger = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>("turnpike");
  logger->set_formatter(make_formatter(params.format));
  logger->set_level(to_spdlog(params.level));
  spdlog::set_default_logger(std::move(logger));
}

LogScope::~LogScope() { spdlog::shutdown(); }

}  // namespace turnpike::daemon
