// The results as JSON, and that JSON as lines for people.
#pragma once

#include <boost/json/object.hpp>
#include <ostream>

#include "turnbench/allocations.hpp"
#include "turnbench/load.hpp"
#include "turnbench/options.hpp"

namespace turnpike::bench {

// A time has the unit that its name ends with. Values that were not measured are absent.
boost::json::object to_json(const Options& options, const LoadResult& result, bool has_server);
boost::json::object to_json(const Options& options, const IdleResult& result, bool has_server);
boost::json::object to_json(const Options& options, const CyclesResult& result, bool has_server);

void print(std::ostream& out, const boost::json::object& report, bool as_json);

}  // namespace turnpike::bench
