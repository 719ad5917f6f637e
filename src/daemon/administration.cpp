#include "daemon/administration.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "daemon/log.hpp"
#include "http/deadline.hpp"
#include "net/asio_types.hpp"
#include "relay/clock.hpp"

namespace turnpike::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kPatience{1};  // the time that workers have to answer
constexpr std::uint32_t kMaxConnections = 200;
constexpr std::uint32_t kMaxConnectionsPerAddress = 50;

http::Params unix_params() {
  http::Params out;
  out.limits.connections = kMaxConnections;
  out.limits.connections_per_address = 0;  // there is no address
  return out;
}

// The answers of workers that have arrived, and the timer that the asking coroutine waits for. Workers share
// it until they have answered, which may be after the coroutine has stopped waiting.
template <class Answer>
struct Answers {
  explicit Answers(asio::io_context& io, std::size_t asked)
      : remaining(asked), timer(io.get_executor(), kPatience) {}

  std::size_t remaining;
  std::vector<Answer> received;
  net::Timer timer;
};

}  // namespace

Administration::Administration(asio::io_context& io, const admin::Params& params, Hooks hooks)
    : io_(io),
      hooks_(std::move(hooks)),
      site_(*this, params.token_secrets, relay::read_clocks),
      server_(io, http_params(params), nullptr, router_),
      unix_server_(io, unix_params(), nullptr, router_) {
  site_.add_routes(router_);
  for (const Endpoint& endpoint : server_.endpoints())
    spdlog::info(fmt::format("admin: listening on http://{}", endpoint.to_string()));
  for (const std::string& path : params.unix_sockets) {
    unix_listeners_.push_back(std::make_unique<admin::UnixListener>(io, path, [this](net::Fd connection) {
      unix_server_.adopt(std::move(connection), {.by_unix_socket = true});
    }));
    spdlog::info(fmt::format("admin: listening on unix:{}", path));
  }
}

http::Params Administration::http_params(const admin::Params& params) {
  http::Params out;
  out.listeners = params.listeners;
  out.listen_key = "admin.listen";
  // A stranger's page can let its own name resolve to this machine (DNS rebinding). http::Hosts refuses its
  // requests.
  out.open = true;
  out.hosts = params.hosts;
  out.hosts.insert(out.hosts.end(), params.signaling_hosts.begin(), params.signaling_hosts.end());
  out.hosts_key = "admin.hosts";
  out.public_host = params.public_host;
  out.limits.connections = kMaxConnections;
  out.limits.connections_per_address = kMaxConnectionsPerAddress;
  out.refused = [this](const http::Refused& refused) { on_refused(refused); };
  return out;
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
  unix_server_.stop();
  for (const auto& listener : unix_listeners_) listener->stop();
}

std::vector<admin::Metric> Administration::metrics() {
  std::vector<admin::Metric> metrics;
  hooks_.add_metrics(metrics);
  admin::add_process_metrics(metrics);
  return metrics;
}

// Asks the workers for all allocations, or for those that `ended_by` would end.
http::Awaitable<admin::AllocationList> Administration::ask_workers(
    std::shared_ptr<const relay::Settings> ended_by) {
  const auto answers = std::make_shared<Answers<admin::AllocationOf>>(io_, hooks_.mailboxes.size());
  for (unsigned worker = 0; worker < hooks_.mailboxes.size(); ++worker) {
    hooks_.mailboxes[worker].post(
        relay::ListAllocations{[&io = io_, answers, worker](std::vector<turn::AllocationInfo> list) {
                                 asio::post(io, [answers, worker, list = std::move(list)]() mutable {
                                   for (turn::AllocationInfo& one : list)
                                     answers->received.push_back({worker, std::move(one)});
                                   if (--answers->remaining == 0) answers->timer.cancel();
                                 });
                               },
                               ended_by});
  }
  co_await answers->timer.async_wait(net::kAsTuple);
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
  co_await answers->timer.async_wait(net::kAsTuple);
  co_return !answers->received.empty() && answers->received.front();
}

http::Awaitable<bool> Administration::await_workers() {
  const auto answers = std::make_shared<Answers<bool>>(io_, hooks_.mailboxes.size());
  for (relay::Mailbox& mailbox : hooks_.mailboxes) {
    mailbox.post(relay::ShowLife{[&io = io_, answers] {
      asio::post(io, [answers] {
        if (--answers->remaining == 0) answers->timer.cancel();
      });
    }});
  }
  co_await answers->timer.async_wait(net::kAsTuple);
  co_return answers->remaining == 0;
}

http::Awaitable<boost::json::object> Administration::end_user(std::string user) {
  boost::json::object answer = co_await hooks_.end_user(std::move(user));
  // The answer comes after the end of this node's allocations, so that a script can rely on it. A worker
  // first lists the allocations of the user, and then gets mail for each of them.
  bool complete = co_await await_workers();
  if (complete) complete = co_await await_workers();
  answer["complete"] = complete;
  co_return answer;
}

http::Awaitable<admin::ReloadReport> Administration::reload(bool dry_run) {
  // The workers are asked before anything changes, and decide by the same rules as after the change. Then
  // everything is read again, since users and files may have changed while the workers answered.
  const Reloaded tried = hooks_.reload(true);
  std::vector<admin::AllocationOf> ended;
  if (tried.settings) ended = (co_await ask_workers(tried.settings)).allocations;
  admin::ReloadReport report = dry_run ? tried.report : hooks_.reload(false).report;
  if (!report.ok) co_return report;
  report.ended_count = static_cast<std::uint32_t>(ended.size());
  report.ended = std::move(ended);
  if (report.ended.size() > report.kMaxListed) report.ended.resize(report.kMaxListed);
  co_return report;
}

// The HTTP server names keys of the signaling. The admin listener has no such keys: its limits of connections
// are constants, and no other origin is allowed.
void Administration::on_refused(const http::Refused& refused) {
  count_refusal(refusal_counters_, refused.what);
  http::Refused named = refused;
  if (named.key.starts_with("signaling.")) named.key = {};
  if (const auto line = refusals_.line(named, relay::read_clocks().steady)) line->write(spdlog::level::info);
}

bool Administration::set_log_level(std::string_view level) {
  if (!daemon::set_level(level)) return false;
  spdlog::info(fmt::format("admin: the log level is {} from now on", level));
  return true;
}

}  // namespace turnpike::daemon
