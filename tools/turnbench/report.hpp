// The results as JSON, and the same JSON as lines to read.
#pragma once

#include <boost/json/object.hpp>
#include <ostream>

#include "turnbench/allocations.hpp"
#include "turnbench/load.hpp"
#include "turnbench/options.hpp"

namespace turnpike::bench {

// Times in the unit that a name ends with; what was not measured is absent.
boost::json::object to_json(const Options& options, const LoadResult& result, bool has_server);
boost::json::object to_json(const Options& options, const IdleResult& result, bool has_server);
boost::json::object to_json(const Options& options, const CyclesResult& result, bool has_server);

void print(std::ostream& out, const boost::json::object& report, bool as_json);

}  // namespace turnpike::bench
