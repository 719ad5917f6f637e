// What the signaling endpoint serves: the call page or a folder, iceServers, and the plain protocol over
// WebSocket. It joins the pure protocols to the HTTP server and belongs to the server's thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "http/counters.hpp"
#include "http/course_chat_endpoint.hpp"
#include "http/engine_io_endpoint.hpp"
#include "http/origins.hpp"
#include "http/router.hpp"
#include "http/static_files.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/signaling/engine_io.hpp"
#include "turnpike/signaling/plain_protocol.hpp"
#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::http {

// Bare Engine.IO where every message comes back: what the protocol's test suite expects. Only with
// Preset::echo.
class EngineEcho : public signaling::EngineIo::Application {
 public:
  void use(signaling::EngineIo& engine) { engine_ = &engine; }

  void on_session(signaling::SessionKey, const signaling::EngineIo::Opening&, TimePoint) override {}
  void on_message(signaling::SessionKey session, std::string_view data, bool binary, TimePoint,
                  signaling::EngineIo::Output& out) override {
    engine_->send(session, data, binary, out);
  }
  void on_session_closed(signaling::SessionKey, bool, TimePoint, signaling::EngineIo::Output&) override {}

 private:
  signaling::EngineIo* engine_ = nullptr;
};

class SignalingSite : private WebSocketHandler {
 public:
  struct Params {
    signaling::Limits limits;
    signaling::TokenParams tokens;
    signaling::IceParams ice_servers;
    std::uint32_t credentials_per_second =
        0;  // for each address, and twenty times that at once; 0 = no limit
    // See http::Limits.
    std::uint32_t bytes_per_second_per_address = 0;
    std::string root;  // a folder instead of the call page; empty without
    std::vector<std::string> cors;
    std::string public_host;  // see Origins
    Duration connect_timeout{};
    signaling::Preset preset = signaling::Preset::course;
    signaling::EngineIo::Params engine_io;
    Duration recovery{};  // 0: off
    bool list_rooms = false;
    HashKey hash_key{};  // for tables whose keys strangers choose
    std::function<TimePoint()> clock;
    TellRefused refused{};  // may be empty
  };

  // Throws std::runtime_error with a message for the operator. `random` outlives the site.
  SignalingSite(boost::asio::io_context& io, Params params, crypto::Random& random);

  // To be called once; the router must not outlive the site.
  void add_routes(Router& router);
  // Clients that come from now on are told this one, where that is what they are told.
  void set_addresses(std::map<IpAddress, IpAddress> advertise, const std::optional<IpAddress>& by_default) {
    ice_servers_.set_addresses(std::move(advertise), by_default);
  }
  // From now on these of its parameters hold, for those who come and for what is asked: limits, tokens,
  // ice_servers but for its listeners, credentials_per_second, root, cors and public_host. Members stay in
  // their rooms. Throws std::runtime_error as the constructor does, and has changed nothing then.
  void use(const Params& params);
  // Tells the members of all rooms that this server will end, at `deadline` at the latest.
  void announce_end(WallTime deadline);
  // From now on rooms have members on other nodes as well. Calls `carry` after each event, which takes from
  // the hub what other nodes have to know. To be called before anybody comes.
  void join_cluster(signaling::ClusterParams params, std::function<void()> carry);
  // What other nodes tell members of this one.
  void deliver(const signaling::Hub::Output& told);
  signaling::Hub& hub() { return hub_; }
  // How many rooms and members there are, and how many messages came. Any thread may read them.
  const SiteCounters& site_counters() const { return counters_; }
  const Counter& rooms() const { return rooms_; }
  const Counter& members() const { return members_; }
  // Leaves the io_context without work of the site's.
  void stop();

  const signaling::SocketIo::Counters& socket_io_counters() const { return socket_io_.counters(); }

 private:
  using ConnectionId = signaling::ConnectionId;

  void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) override;
  void on_message(std::uint64_t number, std::string_view message, bool binary) override;
  Duration rest(std::uint64_t number) override;
  void on_closed(std::uint64_t number, bool goodbye) override;

  struct Client {
    std::shared_ptr<WebSocket> socket;
    IpAddress address;
  };

  Response ice_servers(const Request& request);
  Response turn_rest(const Request& request);
  Response minted(const Request& request,
                  const std::function<std::string(const signaling::IceCredentials&)>& body);
  Result<signaling::IceCredentials, signaling::Refusal> mint(const Request& request);
  // What a token allows; everything where none is asked for.
  Result<signaling::Grant, signaling::Refusal> admit(std::string_view token);
  // After every event: sends what it led to, whoever it is for. Returns what that cost (see cost.hpp).
  std::uint64_t flush();
  void tell(const signaling::Refused& refused) const;
  void exchange_between_protocols();
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
  signaling::Hub hub_;
  signaling::TokenVerifier tokens_;
  signaling::IceServers ice_servers_;
  signaling::PlainProtocol plain_;
  signaling::PlainProtocol::Output output_;
  signaling::SocketIo socket_io_;
  signaling::EngineIo engine_;
  EngineIoEndpoint socket_io_endpoint_;
  EngineEcho echo_;
  signaling::EngineIo echo_engine_;
  EngineIoEndpoint echo_endpoint_;
  CourseChatEndpoint course_chat_;
  std::unordered_map<ConnectionId, Client> sockets_;
  boost::asio::steady_timer timer_;
  SteadyTime timer_set_to_ = SteadyTime::max();
  bool stopping_ = false;
  std::function<void()> carry_;  // null where this is the only node
};

}  // namespace turnpike::http
