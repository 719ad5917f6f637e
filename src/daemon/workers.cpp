#include "daemon/workers.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "relay/log_event.hpp"
#include "turnpike/auth/rest.hpp"

namespace turnpike::daemon {
namespace {

constexpr std::chrono::seconds kAgeUnit{1};  // allocations report their age in whole seconds, rounded down

}  // namespace

void Workers::make(const relay::Worker::Shared& shared, std::vector<relay::WorkerListeners> sockets) {
  for (std::size_t i = 0; i < sockets.size(); ++i) mailboxes_.emplace_back();
  for (unsigned i = 0; i < sockets.size(); ++i) {
    workers_.push_back(std::make_unique<relay::Worker>(shared, i, std::move(sockets[i])));
  }
}

void Workers::start() {
  for (const auto& worker : workers_) worker->start();
}

void Workers::stop() {
  for (const auto& worker : workers_) worker->stop();
}

void Workers::post_settings(const std::shared_ptr<const relay::Settings>& settings) {
  for (relay::Mailbox& mailbox : mailboxes_) mailbox.post(relay::SettingsUpdate{settings});
}

void Workers::end_user(const std::string& user, std::chrono::milliseconds min_age) {
  spdlog::info(fmt::format("the allocations of {} end, because an operator wants it", relay::quoted(user)));
  for (relay::Mailbox& mailbox : mailboxes_) {
    mailbox.post(
        relay::ListAllocations{[&mailbox, user, min_age](const std::vector<turn::AllocationInfo>& list) {
          for (const turn::AllocationInfo& one : list) {
            if (one.age + kAgeUnit > min_age && auth::is_name_of(one.username, user))
              mailbox.post(relay::EndAllocation{one.number, [](bool) {}});
          }
        }});
  }
}

std::vector<Heartbeat::Question> Workers::make_questions() {
  std::vector<Heartbeat::Question> questions;
  for (relay::Mailbox& mailbox : mailboxes_) {
    questions.emplace_back(
        [&mailbox](std::function<void()> answer) { mailbox.post(relay::ShowLife{std::move(answer)}); });
  }
  return questions;
}

std::vector<relay::Totals> Workers::count_each() const {
  std::vector<relay::Totals> each(workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->add_counters_to(each[i]);
  return each;
}

relay::Totals Workers::count_all() const {
  relay::Totals totals;
  for (const auto& worker : workers_) worker->add_counters_to(totals);
  return totals;
}

std::uint64_t Workers::relayed_octets() const {
  const relay::Totals totals = count_all();
  const auto& core = totals.of<turn::Counters>();
  const auto& streamed = totals.of<relay::TcpRelayCounters>();
  return core.to_peer_bytes + core.to_client_bytes + streamed.to_peer_bytes + streamed.to_client_bytes;
}

void Workers::log_totals() const {
  const relay::Totals totals = count_all();
  const auto& connections = totals.of<relay::ConnectionCounters>();
  const auto& associations = totals.of<relay::AssociationCounters>();
  spdlog::info(fmt::format("stopped: {}{}{}{}{}", describe_counters(totals.of<turn::Counters>()),
                           describe_counters(totals.of<net::SendCounters>()),
                           describe_counters(totals.of<relay::RelaySocketCounters>()),
                           describe_counters(totals.of<relay::WorkerCounters>()),
                           describe_counters(totals.of<relay::MailCounters>())));
  if (connections.accepted + connections.refused + connections.untrusted != 0) {
    spdlog::info(fmt::format("connections: {}{}", describe_counters(connections),
                             describe_counters(totals.of<net::StreamCounters>())));
  }
  if (totals.of<relay::TcpRelayCounters>().joined != 0) {
    spdlog::info(
        fmt::format("data connections: {}", describe_counters(totals.of<relay::TcpRelayCounters>())));
  }
  if (associations.hellos_answered + associations.hellos_withheld != 0) {
    spdlog::info(fmt::format("dtls: {}{}", describe_counters(associations),
                             describe_counters(totals.of<net::DtlsCounters>())));
  }
  if (const auto& proxies = totals.of<relay::ProxyCounters>(); proxies.begun + proxies.untrusted != 0) {
    spdlog::info(fmt::format("load balancers, by UDP: {}", describe_counters(proxies)));
  }
}

}  // namespace turnpike::daemon
