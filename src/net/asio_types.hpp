// Timers, descriptors and coroutines of Asio that belong to an io_context. Asio's own names for them stand
// for types that take any executor, and these take long to compile.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace turnpike::net {

using Executor = boost::asio::io_context::executor_type;
using Timer = boost::asio::steady_timer::rebind_executor<Executor>::other;
using StreamDescriptor = boost::asio::posix::stream_descriptor::rebind_executor<Executor>::other;

template <class T>
using Awaitable = boost::asio::awaitable<T, Executor>;

// `co_await operation(…, kAsTuple)` gives a tuple of the error code and the operation's results. Nothing is
// thrown.
inline constexpr auto kAsTuple = boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>());

}  // namespace turnpike::net
