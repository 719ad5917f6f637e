// The signaling endpoint of the daemon: the HTTP server and its site, on a thread of their own.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <thread>
#include <vector>

#include "admin/metrics.hpp"
#include "cluster/rooms.hpp"
#include "config/config.hpp"
#include "daemon/accepted_queue.hpp"
#include "daemon/certificates.hpp"
#include "daemon/refusal_counters.hpp"
#include "daemon/refusal_log.hpp"
#include "http/server.hpp"
#include "http/signaling_site.hpp"
#include "net/accepted_connection.hpp"
#include "net/system_random.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/signaling/ice_servers.hpp"

namespace turnpike::daemon {

class SignalingThread {
 public:
  struct Params {
    const config::Config& config;
    std::vector<signaling::IceParams::Listener> relay;  // the listeners that clients are told of
    const Certificates* tls;                            // may be null; otherwise it must outlive the thread
    std::map<IpAddress, IpAddress> advertised;          // see IceParams, as the next one
    std::optional<IpAddress> default_address;
    AddressLimiter& handshakes;  // that one source may begin in a second; it must outlive the thread
  };

  // Opens the listeners and logs their addresses. Throws std::exception with a message for the operator.
  explicit SignalingThread(Params params);
  ~SignalingThread();
  SignalingThread(const SignalingThread&) = delete;
  SignalingThread& operator=(const SignalingThread&) = delete;

  void start();
  // See IceParams. From any thread.
  void set_addresses(std::map<IpAddress, IpAddress> advertise, const std::optional<IpAddress>& by_default);
  // See IceParams. From any thread.
  void set_certificate_name(std::string name);
  // The other nodes of the cluster that take new clients, and how full this node is. From any thread.
  void set_nodes(std::vector<signaling::OtherNode> others, double own_load, std::uint64_t octets_per_second,
                 bool takes_clients);
  // See IceServers::set_name_secret. From any thread.
  void set_name_secret(std::string secret);
  // Whether rooms can have members on other nodes. From any thread.
  bool is_linked() const { return rooms_ && rooms_->connected() != 0; }
  // Applies the parts of this configuration that can change while the daemon runs. From any thread.
  void use(const config::Config& config, const std::map<IpAddress, IpAddress>& advertised,
           const std::optional<IpAddress>& default_address);
  // Tells the members of all rooms that this server will end, at `deadline` at the latest. From any thread.
  void announce_end(WallTime deadline);
  // See SignalingSite::revoke. Calls `answer` from the thread, unless it stops first. From any thread.
  void revoke(const auth::Revocation& revocation, std::function<void(std::vector<std::string>)> answer);
  // Calls `answer` once, from the thread. From any thread.
  void ask(std::function<void()> answer);
  // Adds what has been counted so far. From any thread.
  void add_metrics(std::vector<admin::Metric>& metrics) const;
  // Takes a connection that came to another listener and speaks HTTP. It is closed, and counted, when too
  // many others wait already or the thread has stopped. From any thread.
  void adopt(net::Fd connection, net::AcceptedConnection arrival);
  // Closes all connections properly and joins the thread; this takes a few seconds at most.
  void stop();
  // Has the thread end at once, and returns what is left then, in words. Parts of this object are in use by
  // what is left, so it must not be destroyed afterwards. From any thread.
  std::string cut_off();

  const std::vector<Endpoint>& endpoints() const { return server_.endpoints(); }

  // Open connections. From any thread.
  std::uint64_t connections() const { return server_.open_connections(); }
  // Read these only after stop().
  const http::Counters& counters() const { return server_.counters(); }
  // Connections that were given to adopt() and closed. From any thread.
  std::uint64_t dropped() const { return waiting_.dropped(); }

 private:
  // The parameters of a part that tells whom it refuses, here.
  template <class PartParams>
  PartParams with_refusal_log(PartParams params);
  void join_cluster(const cluster::Params& params);
  void log_totals() const;

  boost::asio::io_context io_{1};
  // Keeps the io_context running, since adopt() can bring connections although this thread has no listener.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> open_{io_.get_executor()};
  const Certificates* tls_;
  AddressLimiter& handshakes_;
  net::SystemRandom random_;
  RefusalLog refusals_;
  SignalingRefusals refusal_counters_;
  AcceptedQueue<net::AcceptedConnection> waiting_;
  http::SignalingSite site_;
  http::Router router_;
  http::Server server_;
  std::optional<cluster::Rooms> rooms_;  // empty when this is the only node
  std::thread thread_;
};

}  // namespace turnpike::daemon
