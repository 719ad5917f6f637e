// Either a value or an error code. Exceptions are used only while the program starts; code that handles
// packets does not throw.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace turnpike {

template <class T, class E = boost::system::error_code>
using Result = boost::system::result<T, E>;

}  // namespace turnpike
