#include "daemon/administration.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "daemon/log.hpp"
#include "http/as_tuple.hpp"
#include "http/deadline.hpp"
#include "relay/clock.hpp"

namespace turnpike::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kPatience{1};  // with workers that do not answer
constexpr std::uint32_t kMaxConnections = 200;

http::Params http_params(const admin::Params& params) {
  http::Params out;
  out.listeners = params.listeners;
  // Pages that have their own name resolve to this machine get nothing; see http::Hosts.
  out.open = true;
  out.hosts = params.hosts;
  out.public_host = params.public_host;
  out.limits.connections = kMaxConnections;
  out.limits.connections_per_address = kMaxConnections;
  return out;
}

// What workers answer, one after the other, and who waits for it. Workers hold it until they have answered,
// which may be later than anybody waits.
template <class Answer>
struct Answers {
  explicit Answers(asio::io_context& io, std::size_t asked)
      : remaining(asked), timer(io.get_executor(), kPatience) {}

  std::size_t remaining;
  std::vector<Answer> received;
  http::Timer timer;
};

}  // namespace

Administration::Administration(asio::io_context& io, const admin::Params& params, Hooks hooks)
    : io_(io),
      hooks_(std::move(hooks)),
      site_(*this, params.token_secrets, relay::read_clocks),
      server_(io, http_params(params), nullptr, router_) {
  site_.add_routes(router_);
  for (const Endpoint& endpoint : server_.endpoints())
    spdlog::info("admin: listening on http://{}", endpoint.to_string());
  for (const std::string& path : params.unix_sockets) {
    unix_listeners_.push_back(std::make_unique<admin::UnixListener>(io, path, [this](net::Fd connection) {
      server_.adopt(std::move(connection), {.by_unix_socket = true});
    }));
    spdlog::info("admin: listening on unix:{}", path);
  }
}

Administration::~Administration() = default;

void Administration::start() {
  server_.start();
  for (const auto& listener : unix_listeners_) listener->start();
}

void Administration::use(const admin::Params& params) {
  site_.use(params.token_secrets);
  server_.use(http_params(params));
}

void Administration::stop() {
  server_.stop();
  for (const auto& listener : unix_listeners_) listener->stop();
}

std::vector<admin::Metric> Administration::metrics() {
  std::vector<admin::Metric> metrics;
  hooks_.add_metrics(metrics);
  admin::add_process_metrics(metrics);
  return metrics;
}

http::Awaitable<admin::AllocationList> Administration::allocations() {
  const auto answers = std::make_shared<Answers<admin::AllocationOf>>(io_, hooks_.mailboxes.size());
  for (unsigned worker = 0; worker < hooks_.mailboxes.size(); ++worker) {
    hooks_.mailboxes[worker].post(
        relay::ListAllocations{[&io = io_, answers, worker](std::vector<turn::AllocationInfo> list) {
          asio::post(io, [answers, worker, list = std::move(list)]() mutable {
            for (turn::AllocationInfo& one : list) answers->received.push_back({worker, std::move(one)});
            if (--answers->remaining == 0) answers->timer.cancel();
          });
        }});
  }
  co_await answers->timer.async_wait(http::kAsTuple);
  co_return admin::AllocationList{std::move(answers->received), answers->remaining == 0};
}

http::Awaitable<bool> Administration::kill(unsigned worker, std::uint64_t number) {
  if (worker >= hooks_.mailboxes.size()) co_return false;
  const auto answers = std::make_shared<Answers<bool>>(io_, 1);
  hooks_.mailboxes[worker].post(relay::EndAllocation{number, [&io = io_, answers](bool found) {
                                                       asio::post(io, [answers, found] {
                                                         answers->received.push_back(found);
                                                         answers->timer.cancel();
                                                       });
                                                     }});
  co_await answers->timer.async_wait(http::kAsTuple);
  co_return !answers->received.empty() && answers->received.front();
}

http::Awaitable<admin::ReloadReport> Administration::reload(bool dry_run) {
  admin::AllocationList before = co_await allocations();
  Reloaded reloaded = hooks_.reload(dry_run);
  admin::ReloadReport& report = reloaded.report;
  if (report.ok) {
    std::erase_if(before.allocations,
                  [&](const admin::AllocationOf& one) { return !reloaded.ends(one.allocation); });
    report.sessions_ended = static_cast<std::uint32_t>(before.allocations.size());
    report.sessions = std::move(before.allocations);
    if (report.sessions.size() > report.kMaxSessions) report.sessions.resize(report.kMaxSessions);
  }
  co_return std::move(report);
}

bool Administration::set_log_level(std::string_view level) {
  if (!daemon::set_level(level)) return false;
  spdlog::info("admin: the log level is {} from now on", level);
  return true;
}

}  // namespace turnpike::daemon
