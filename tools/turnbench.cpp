// Puts load on a TURN server and reports what it delivered at what cost: see --help.
#include <sys/resource.h>

#include <exception>
#include <iostream>

#include "net/system_random.hpp"
#include "turnbench/allocations.hpp"
#include "turnbench/lane.hpp"
#include "turnbench/load.hpp"
#include "turnbench/options.hpp"
#include "turnbench/report.hpp"
#include "turnbench/usage.hpp"
#include "turnpike/base/printable.hpp"

namespace turnpike::bench {
namespace {

// Each allocation needs a socket of this process.
void raise_open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

boost::json::object run_relay(const Options& options, const UsageMeter& meter) {
  crypto::Digester digester;
  net::SystemRandom random;
  std::vector<Lane> lanes;
  while (lanes.size() < options.clients) lanes.push_back(open_lane(digester, random, options));
  const LoadResult result = run_load(lanes, options, meter);
  if (options.direct) return to_json(options, result, meter.has_server());
  for (Lane& lane : lanes) close_lane(lane);
  return to_json(options, result, meter.has_server());
}

boost::json::object run(const Options& options) {
  const UsageMeter meter(options.server_pids);
  switch (options.task) {
    case Task::relay: break;
    case Task::allocations: return to_json(options, run_idle(options, meter), meter.has_server());
    case Task::cycles: return to_json(options, run_cycles(options, meter), meter.has_server());
  }
  return run_relay(options, meter);
}

}  // namespace
}  // namespace turnpike::bench

int main(int argc, char** argv) {
  try {
    const turnpike::bench::Options options = turnpike::bench::parse_options(argc, argv);
    turnpike::bench::raise_open_files_limit();
    turnpike::bench::print(std::cout, turnpike::bench::run(options), options.json);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "turnbench: " << turnpike::printable(e.what()) << '\n';
    return 1;
  }
}
