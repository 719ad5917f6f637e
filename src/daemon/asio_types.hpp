// Timers and descriptors of Asio that belong to an io_context. Asio's own names for them stand for types that
// take any executor, and these take long to compile.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace turnpike::daemon {

using Executor = boost::asio::io_context::executor_type;
using Timer = boost::asio::steady_timer::rebind_executor<Executor>::other;
using StreamDescriptor = boost::asio::posix::stream_descriptor::rebind_executor<Executor>::other;

}  // namespace turnpike::daemon
