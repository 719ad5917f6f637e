// The requests by which a page or a program gets iceServers: GET /ice-servers, and /turn of
// draft-uberti-behave-turn-rest. Belongs to the thread of the server.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "http/message.hpp"
#include "http/origins.hpp"
#include "http/refused.hpp"
#include "http/router.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "turnpike/signaling/refusal.hpp"
#include "turnpike/signaling/token.hpp"

namespace turnpike::http {

class IceServersEndpoint {
 public:
  struct Params {
    signaling::IceServers& ice_servers;
    const Origins& origins;
    AddressLimiter& minting;  // limits how many credentials one address gets
    // Returns what a token allows. Without access control it allows everything.
    std::function<Result<signaling::Grant, signaling::Refusal>(std::string_view token)> admit;
    std::function<TimePoint()> clock;
    OnRefused refused;  // may be empty
  };

  // All references must outlive this object.
  explicit IceServersEndpoint(Params params) : params_(std::move(params)) {}

  // This object must outlive the router.
  void add_routes(Router& router);

 private:
  using MakeBody = std::function<std::string(const signaling::IceCredentials&)>;

  Response ice_servers(const Request& request);
  Response turn_rest(const Request& request);
  Response minted(const Request& request, std::string_view token, const MakeBody& make_body);
  Result<signaling::IceCredentials, signaling::Refusal> mint(const Request& request, std::string_view token);

  Params params_;
};

}  // namespace turnpike::http
