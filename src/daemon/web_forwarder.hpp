// Passes connections on to a web server behind one of our listeners, on a thread of its own. TLS does not end
// here, and the octets are not examined.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "admin/metrics.hpp"
#include "daemon/accepted_queue.hpp"
#include "daemon/refusal_log.hpp"
#include "daemon/web_counters.hpp"
#include "net/fd.hpp"
#include "relay/stream_limits.hpp"
#include "relay/web_server.hpp"
#include "turnpike/base/source_counter.hpp"

namespace turnpike::daemon {

class WebForwarder {
 public:
  explicit WebForwarder(const relay::StreamLimits& limits);
  ~WebForwarder();
  WebForwarder(const WebForwarder&) = delete;
  WebForwarder& operator=(const WebForwarder&) = delete;

  void start();
  // Connects to the web server and carries octets both ways until both sides have ended. The connection is
  // closed, and counted, when there are too many or the thread has stopped. From any thread.
  void pass(net::Fd connection, const relay::PassedConnection& about);
  // Changes the limits. From any thread.
  void use(const relay::StreamLimits& limits);
  // Calls `answer` once, from the thread. From any thread.
  void ask(std::function<void()> answer);
  // Adds what has been counted so far. From any thread.
  void add_metrics(std::vector<admin::Metric>& metrics) const;
  // The number of open connections. Any thread may call it.
  std::uint64_t count() const { return count_; }
  // Closes all connections and joins the thread.
  void stop();
  // Has the thread end at once, and returns what is left then, in words. Parts of this object are in use by
  // what is left, so it must not be destroyed afterwards. From any thread.
  std::string cut_off();

 private:
  class Passage;

  WebCounters counters() const;
  void serve(net::Fd connection, const relay::PassedConnection& about);
  bool admit(const relay::PassedConnection& about);
  void add(Passage& passage);
  void remove(Passage& passage);
  void warn_unreachable(const Endpoint& web, const std::string& why);

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> open_{io_.get_executor()};
  relay::StreamLimits limits_;
  SourceCounter connections_from_;
  AcceptedQueue<relay::PassedConnection> waiting_;
  RefusalLog refusals_{"web"};
  SteadyTime quiet_until_{};  // about web servers that cannot be reached
  std::set<Passage*> passages_;
  Counter count_;  // the number of `passages_`
  WebCounters counters_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace turnpike::daemon
