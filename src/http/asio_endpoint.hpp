// Converts our endpoints to those of Asio.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::http {

inline boost::asio::ip::tcp::endpoint to_asio(const Endpoint& endpoint) {
  namespace ip = boost::asio::ip;
  if (endpoint.address.is_v4())
    return {ip::address_v4(load_u32(endpoint.address.bytes().data())), endpoint.port};
  return {ip::address_v6(endpoint.address.storage(), endpoint.scope), endpoint.port};
}

}  // namespace turnpike::http
