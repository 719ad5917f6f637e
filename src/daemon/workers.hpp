// All workers with their mailboxes, and the tables by which they help each other. This class makes, starts
// and stops them, sends mail to all of them, and adds up what they have counted.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/heartbeat.hpp"
#include "relay/counters.hpp"
#include "relay/event_log.hpp"
#include "relay/mailbox.hpp"
#include "relay/peer_connection_table.hpp"
#include "relay/settings.hpp"
#include "relay/worker.hpp"

namespace turnpike::daemon {

// On the main thread.
class Workers {
 public:
  // What all workers share and this class owns. The mailboxes are there after make().
  relay::NetworkHints& hints() { return hints_; }
  relay::PeerConnectionTable& peer_connections() { return peer_connections_; }
  std::deque<relay::Mailbox>& mailboxes() { return mailboxes_; }

  // Makes a worker for each element of `sockets`. Throws std::system_error.
  void make(const relay::Worker::Shared& shared, std::vector<relay::WorkerListeners> sockets);
  void start();
  void stop();

  std::size_t count() const { return workers_.size(); }
  void post_settings(const std::shared_ptr<const relay::Settings>& settings);
  // Ends the allocations of a user that are at least `min_age` old.
  void end_user(const std::string& user, std::chrono::milliseconds min_age = {});
  // Questions for a sign of life, one for each worker. This object must outlive them.
  std::vector<Heartbeat::Question> make_questions();

  // Since the start: what each worker has counted, and all of them together.
  std::vector<relay::Totals> count_each() const;
  relay::Totals count_all() const;
  std::uint64_t relayed_octets() const;
  void log_totals() const;

 private:
  relay::NetworkHints hints_;
  relay::PeerConnectionTable peer_connections_;
  std::deque<relay::Mailbox> mailboxes_;  // one for each worker
  std::vector<std::unique_ptr<relay::Worker>> workers_;
};

}  // namespace turnpike::daemon
