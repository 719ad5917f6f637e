// Either a value or an error code. Exceptions are for starting up; nothing that handles a packet throws.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace turnpike {

template <class T, class E = boost::system::error_code>
using Result = boost::system::result<T, E>;

}  // namespace turnpike
