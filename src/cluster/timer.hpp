// Asio's timer for one kind of executor. The usual one takes any, and takes long to compile.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace turnpike::cluster {

using Executor = boost::asio::io_context::executor_type;
using Timer = boost::asio::steady_timer::rebind_executor<Executor>::other;

}  // namespace turnpike::cluster
