#include "daemon/log.hpp"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/json/serializer.hpp>
#include <boost/json/string_view.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "relay/log_event.hpp"
#include "turnpike/base/printable.hpp"

namespace turnpike::daemon {
namespace {

constexpr std::size_t kWaitingLines = 8192;
// The end of the process waits at most this long for a reader of stderr that reads nothing.
constexpr std::chrono::seconds kLastWords{2};
// The same for one line, where the end of the process cannot wait.
constexpr std::chrono::seconds kLastWord{1};
constexpr int kBetweenTries = 100;  // milliseconds

// Lines that could not be made, which only a lack of memory prevents.
std::atomic<std::uint64_t> lines_not_made{0};

void append(spdlog::memory_buf_t& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

// Splits a line into words and the members of a JSON object that follow them, if there are any. See LogEvent.
std::pair<std::string_view, std::string_view> parts_of(const spdlog::details::log_msg& message) {
  const std::string_view all(message.payload.data(), message.payload.size());
  const std::size_t at = all.find(relay::LogEvent::kSeparator);
  if (at == std::string_view::npos) return {all, {}};
  return {all.substr(0, at), all.substr(at + 1)};
}

// Writes the words on a single line, even if a part of them, from a file, a peer or a library, has line
// breaks.
class Words : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    put_printable(parts_of(message).first, [&out](std::string_view part) { append(out, part); });
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Words>(); }
};

// Writes the words as a JSON string, with its quotes, and then the members.
class JsonMembers : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const auto [words, members] = parts_of(message);
    const PutPart put = [&out](std::string_view part) { append(out, part); };
    spdlog::memory_buf_t quoted;
    serialize(words, quoted);
    put_printable_json({quoted.data(), quoted.size()}, put);
    put_printable_json(members, put);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMembers>(); }

 private:
  static void serialize(std::string_view words, spdlog::memory_buf_t& out) {
    boost::json::serializer serializer;
    serializer.reset(boost::json::string_view(words.data(), words.size()));
    while (!serializer.done()) {
      std::array<char, 256> piece;
      append(out, serializer.read(piece.data(), piece.size()));
    }
  }
};

// Writes the priority for the journal (sd-daemon(3)).
class Priority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    switch (message.level) {
      case spdlog::level::critical:
      case spdlog::level::err: return append(out, "<3>");
      case spdlog::level::warn: return append(out, "<4>");
      case spdlog::level::info: return append(out, "<6>");
      default: return append(out, "<7>");
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Priority>(); }
};

// Returns whether stderr leads to the journal. $JOURNAL_STREAM names the journal's device and inode
// (systemd.exec(5)).
bool writes_to_journal() {
  const char* const stream = getenv("JOURNAL_STREAM");
  struct stat status {};
  return stream && fstat(STDERR_FILENO, &status) == 0 &&
         std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) == stream;
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

std::unique_ptr<spdlog::formatter> make_formatter(config::LogFormat format) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<Words>('*').add_flag<JsonMembers>('@').add_flag<Priority>('&');
  const bool is_journal = writes_to_journal();
  if (format == config::LogFormat::json) {
    formatter->set_pattern(std::string(is_journal ? "%&" : "") +
                           R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%@})");
  } else {
    formatter->set_pattern(is_journal ? "%&%l %*" : "%Y-%m-%dT%H:%M:%S.%eZ %l %*");
  }
  return formatter;
}

// Writes to stderr, and waits for a slow reader until the time of give_up_in(). It does not hold the lock
// while it waits, so a change of the format never waits for the reader.
class StderrSink : public spdlog::sinks::sink {
 public:
  // Lines that cannot be written by then are lost.
  void give_up_in(std::chrono::steady_clock::duration time) {
    gives_up_at_ = (std::chrono::steady_clock::now() + time).time_since_epoch();
  }

  void log(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    {
      const std::lock_guard lock(mutex_);
      formatter_->format(message, line);
    }
    write({line.data(), line.size()});
  }
  void flush() override {}
  void set_pattern(const std::string& pattern) override {
    set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    const std::lock_guard lock(mutex_);
    formatter_ = std::move(formatter);
  }

 private:
  // A pipe that has any room accepts PIPE_BUF octets at once.
  void write(std::string_view line) const {
    while (!line.empty()) {
      pollfd room{STDERR_FILENO, POLLOUT, 0};
      const bool gives_up = std::chrono::steady_clock::now().time_since_epoch() >= gives_up_at_.load();
      const int ready = poll(&room, 1, gives_up ? 0 : kBetweenTries);
      if (ready == 0 && gives_up) return;
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      const ssize_t written =
          ::write(STDERR_FILENO, line.data(), std::min<std::size_t>(line.size(), PIPE_BUF));
      if (written < 0 && errno != EAGAIN && errno != EINTR) return;
      line.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
  }

  std::mutex mutex_;
  std::unique_ptr<spdlog::formatter> formatter_ = std::make_unique<spdlog::pattern_formatter>();
  std::atomic<std::chrono::steady_clock::duration> gives_up_at_{std::chrono::steady_clock::duration::max()};
};

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

// The copy shares the sink and the thread, so its line takes its turn among the others.
void say_at_any_level(std::string_view line) {
  const std::shared_ptr<spdlog::logger> copy = spdlog::default_logger()->clone("turnpike");
  copy->set_level(spdlog::level::info);
  copy->info(line);
}

void say_last(std::string_view line) {
  for (const spdlog::sink_ptr& sink : spdlog::default_logger()->sinks()) {
    if (const auto ours = std::dynamic_pointer_cast<StderrSink>(sink)) ours->give_up_in(kLastWord);
    sink->log({"turnpike", spdlog::level::err, spdlog::string_view_t(line.data(), line.size())});
  }
}

void LogScope::use(const config::LogParams& params) {
  spdlog::default_logger()->set_formatter(make_formatter(params.format));
  set_level(params.level);
  show_addresses(params.addresses);
}

LogScope::LogScope(const config::LogParams& params) : sink_(std::make_shared<StderrSink>()) {
  // The log thread blocks all signals, so that they reach the main thread.
  spdlog::init_thread_pool(kWaitingLines, 1, [] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
  });
  auto logger = std::make_shared<spdlog::async_logger>("turnpike", sink_, spdlog::thread_pool(),
                                                       spdlog::async_overflow_policy::overrun_oldest);
  logger->set_formatter(make_formatter(params.format));
  logger->set_level(to_spdlog(params.level));
  logger->set_error_handler([](const std::string&) { ++lines_not_made; });
  show_addresses(params.addresses);
  spdlog::set_default_logger(std::move(logger));
}

LogScope::~LogScope() {
  if (const std::uint64_t lost = lost_lines(); lost != 0)
    spdlog::warn(fmt::format(
        "{} lines of this log were lost, since stderr was read too slowly or memory was lacking", lost));
  sink_->give_up_in(kLastWords);
  spdlog::shutdown();
}

std::uint64_t LogScope::lost_lines() {
  const auto threads = spdlog::thread_pool();
  return lines_not_made + (threads ? threads->overrun_counter() : 0);
}

}  // namespace turnpike::daemon
