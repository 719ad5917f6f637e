// The site of the signaling endpoint: the call page or a folder, iceServers, the plain protocol over
// WebSocket, Socket.IO and the course chat. It connects the pure protocols with the HTTP server and belongs
// to the server's thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/counters.hpp"
#include "http/course_chat_endpoint.hpp"
#include "http/engine_echo.hpp"
#include "http/engine_io_endpoint.hpp"
#include "http/ice_servers_endpoint.hpp"
#include "http/origins.hpp"
#include "http/plain_endpoint.hpp"
#include "http/router.hpp"
#include "http/static_files.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/signaling/engine_io.hpp"
#include "turnpike/signaling/plain_protocol.hpp"
#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::http {

class SignalingSite {
 public:
  struct Params {
    signaling::Limits limits;
    signaling::TokenParams tokens;
    signaling::IceParams ice_servers;
    std::uint32_t credentials_per_second = 0;  // for each address; the burst is 20 s' worth; 0: no limit
    // See http::Limits.
    std::uint32_t bytes_per_second_per_address = 0;
    std::string root;  // a folder that replaces the call page; may be empty
    std::vector<std::string> cors;
    std::string public_host;  // see Origins
    Duration connect_timeout{};
    signaling::Preset preset = signaling::Preset::course;
    signaling::EngineIo::Params engine_io;
    Duration recovery{};  // 0: off
    bool list_rooms = false;
    HashKey hash_key{};  // for tables whose keys strangers choose
    std::function<TimePoint()> clock;
    OnRefused refused{};  // may be empty
    // Told of what the operator has to mend. May be empty.
    std::function<void(const std::string& line)> warn{};
  };

  // Throws std::runtime_error with a message for the operator. `random` must outlive the site.
  SignalingSite(boost::asio::io_context& io, Params params, crypto::Random& random);

  // Call it once. The site must outlive the router.
  void add_routes(Router& router);
  // Sets the addresses that iceServers may name after this call; see signaling::IceServers.
  void set_addresses(std::map<IpAddress, IpAddress> advertise, const std::optional<IpAddress>& by_default) {
    ice_servers_.set_addresses(std::move(advertise), by_default);
  }
  // Sets the name of the certificate that clients are shown after this call; see IceParams.
  void set_certificate_name(std::string name) { ice_servers_.set_certificate_name(std::move(name)); }
  // Changes all parameters but the listeners of ice_servers, the clock, the hash key and the log. Members
  // stay in their rooms. When the preset changes, the sessions of Engine.IO and the course chat end; clients
  // of Socket.IO connect again by themselves. Throws std::runtime_error as the constructor does; nothing has
  // changed then.
  void use(const Params& params);
  // Tells the members of all rooms, and those that join a room later, that this server will end at `deadline`
  // at the latest.
  void announce_end(WallTime deadline);
  // Lets rooms have members on other nodes. Calls `send_to_nodes` after each event; it takes from the hub
  // what other nodes must know. Call this before the first client comes.
  void join_cluster(signaling::ClusterParams params, std::function<void()> send_to_nodes);
  // See signaling::IceServers::set_nodes().
  void set_nodes(std::vector<signaling::OtherNode> others, const signaling::OtherNode& own_load,
                 bool takes_clients) {
    ice_servers_.set_nodes(std::move(others), own_load, takes_clients, random_);
  }
  void set_name_secret(std::string secret) { ice_servers_.set_name_secret(std::move(secret)); }
  // Sends to the members of this node what other nodes have told them.
  void deliver(const signaling::Hub::Output& told);
  // Refuses the tokens after this call, tells the clients that came with one of them, and closes the
  // connections. Returns the users of these clients' relay credentials. Returns nothing when too many tokens
  // are revoked already.
  std::optional<std::vector<std::string>> revoke(const auth::Revocation& revocation);
  signaling::Hub& hub() { return hub_; }
  // The numbers of received messages, rooms and members. Any thread may read them.
  const SiteCounters& site_counters() const { return counters_; }
  const Counter& rooms() const { return rooms_; }
  const Counter& members() const { return members_; }
  // Ends the site's work in the io_context.
  void stop();

  const signaling::SocketIo::Counters& socket_io_counters() const { return socket_io_.counters(); }

 private:
  // Returns what a token allows. Without access control it allows everything.
  Result<signaling::Grant, signaling::Refusal> admit(std::string_view token);
  // Sends the results of the last event to all clients concerned. Returns the cost (see cost.hpp).
  std::uint64_t flush();
  void report_refused(const std::vector<signaling::Refused>& refused) const;
  void exchange_between_protocols();
  void end_sessions();
  void on_timer();
  void set_timer();

  Params params_;
  SiteCounters counters_;
  Counter rooms_;
  Counter members_;
  Origins origins_;
  std::optional<StaticFiles> files_;
  AddressLimiter minting_;
  SourcePace pace_;
  crypto::Random& random_;
  signaling::Hub hub_;
  signaling::TokenVerifier tokens_;
  signaling::IceServers ice_servers_;
  IceServersEndpoint ice_servers_endpoint_;
  signaling::PlainProtocol plain_;
  PlainEndpoint plain_endpoint_;
  signaling::SocketIo socket_io_;
  signaling::EngineIo engine_;
  EngineIoEndpoint socket_io_endpoint_;
  EngineEcho echo_;
  signaling::EngineIo echo_engine_;
  EngineIoEndpoint echo_endpoint_;
  CourseChatEndpoint course_chat_;
  net::Timer timer_;
  SteadyTime timer_set_to_ = SteadyTime::max();
  bool stopping_ = false;
  std::function<void()> send_to_nodes_;  // null when this is the only node
};

}  // namespace turnpike::http
