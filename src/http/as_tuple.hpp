// How this server's coroutines wait for an operation of Asio.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http/message.hpp"

namespace turnpike::http {

// `co_await operation(…, kAsTuple)` gives a tuple of the error code and the operation's results. Nothing is
// thrown.
inline constexpr auto kAsTuple = boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>());

}  // namespace turnpike::http
