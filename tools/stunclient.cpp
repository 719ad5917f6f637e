// Asks a STUN server for this machine's public address, tests a TURN server, and prints the results: see
// --help.
#include <boost/json/serialize.hpp>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include "client/udp.hpp"
#include "net/system_random.hpp"
#include "stunclient/client.hpp"
#include "stunclient/nat_test.hpp"
#include "stunclient/options.hpp"
#include "stunclient/report.hpp"
#include "stunclient/turn_test.hpp"
#include "turnpike/base/printable.hpp"

namespace turnpike::stunclient {
namespace {

constexpr int kTestFailed = 1;

// Uses the resolver because the zone of a link-local address is the name of an interface.
Endpoint resolve_local(const Options& options, Family family) {
  try {
    return client::resolve(options.local_address, options.local_port, family).front();
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(std::string("--localaddr: ") + error.what());
  }
}

Endpoint local_endpoint(const Options& options, const Endpoint& server) {
  if (!options.local_address.empty()) return resolve_local(options, server.family());
  const IpAddress any = server.address.is_v4() ? IpAddress() : *IpAddress::parse("::");
  return {any, options.local_port};
}

// A local address determines the family, as --family does.
std::optional<Family> wanted_family(const Options& options) {
  const auto local = IpAddress::parse(options.local_address);
  if (!local) return options.family;
  if (options.family && *options.family != local->family())
    throw std::invalid_argument("--localaddr is not of the --family");
  return local->family();
}

std::string explain_family(std::optional<Family> family) {
  if (!family) return "";
  return std::string("an IPv") + (*family == Family::ipv4 ? "4" : "6") + " address was asked for";
}

std::optional<Endpoint> plain_address(const stun::MessageView& message, stun::AttributeType type) {
  const auto value = message.find(type);
  return value ? stun::decode_address(*value) : std::nullopt;
}

// RFC 5780 §3.6: a generic ALG rewrites addresses in packets. It changes MAPPED-ADDRESS, but not the XORed
// address.
void notice_alg(const stun::MessageView& message, Report& report) {
  const auto plain = plain_address(message, stun::AttributeType::mapped_address);
  if (plain && plain != report.mapped)
    report.notes.push_back(
        "something on the way changes addresses inside packets (a generic ALG): MAPPED-ADDRESS "
        "arrived as " +
        plain->to_string());
}

Step bind(Client& client, Report& report) {
  const auto answer = client.ask(client.turn().binding());
  if (!answer) return {{}, answer.error()};
  report.local = client.local();
  report.mapped = answer->success.mapped;
  report.other = plain_address(answer->success.message, stun::AttributeType::other_address);
  if (report.mapped) notice_alg(answer->success.message, report);
  if (!report.mapped) return {answer->time, bad_answer("mapped address")};
  return {answer->time, std::nullopt};
}

void run_turn(const Context& context, Client& client, Report& report) {
  Endpoint beside = client.local();
  beside.port = 0;
  Client peer(context, beside, client.server(), Client::Connect::no);
  report.turn = TurnTest(client, peer, context.random, context.timeout).run(report.notes);
}

// Returns false when no server is at this address, so that the next address of the name is tried.
bool test_server(const Context& context, const Options& options, const Endpoint& server, Report& report) {
  report.server = server;
  report.transport = context.transport;
  try {
    Client client(context, local_endpoint(options, server), server, Client::Connect::yes);
    if (const std::string why = client.untrusted(); !why.empty())
      report.notes.push_back("the server's certificate does not verify: " + why);
    report.binding = bind(client, report);
    const bool answered = report.binding.ok() || report.binding.problem->kind == ProblemKind::error_response;
    if (options.nat && report.binding.ok())
      report.nat = NatTest(context, client, {*report.mapped, report.other}).run(report.notes);
    if (answered && options.turn) run_turn(context, client, report);
    return answered;
  } catch (const std::system_error& error) {
    report.binding.problem = network_error(error, server, context.transport);
    return false;
  } catch (const std::runtime_error& error) {
    report.binding.problem = no_tls(error.what());
    return true;
  }
}

// Moves the problem of the previous server to the notes, since another server is tried.
void set_aside(Report& report) {
  if (!report.binding.problem) return;
  report.notes.push_back(report.binding.problem->message());
  report.binding = {};
}

// Returns false when no address of the target has a server.
bool test_target(const Context& context, const Options& options, const Target& target, Report& report) {
  const std::optional<Family> family = wanted_family(options);
  report.transport = context.transport;
  std::vector<Endpoint> servers;
  try {
    servers = client::resolve(target.host, target.port, family);
  } catch (const std::runtime_error& error) {
    set_aside(report);
    report.binding.problem = Problem{ProblemKind::unresolved, 0, error.what(), explain_family(family)};
  }
  for (const Endpoint& server : servers) {
    set_aside(report);
    if (test_server(context, options, server, report)) return true;
  }
  return false;
}

Report run(const Context& context, const Options& options) {
  Report report;
  const std::vector<Target> targets = find_targets(options.server, context.random, report.notes);
  if (targets.empty())
    report.binding.problem = Problem{ProblemKind::unresolved, 0, options.server.host + " has no such service",
                                     "its SRV record in the DNS says so"};
  for (const Target& target : targets) {
    Context at = context;
    at.transport = target.transport;
    if (test_target(at, options, target, report)) break;
  }
  return report;
}

void print(const Report& report, bool as_json) {
  if (as_json) {
    std::cout << printable_json(boost::json::serialize(to_json(report))) << '\n';
    return;
  }
  print_text(std::cout, report);
  std::cout.flush();
  print_problems(std::cerr, report);
}

int main_of(const Options& options) {
  crypto::Digester digester;
  net::SystemRandom random;
  const Context context{.digester = digester,
                        .random = random,
                        .trace = options.verbosity > 0 ? &std::cerr : nullptr,
                        .trace_attributes = options.verbosity > 1,
                        .credentials = options.credentials,
                        .timeout = options.timeout,
                        .host = options.server.host};
  const Report report = run(context, options);
  print(report, options.json);
  return report.ok() ? 0 : kTestFailed;
}

}  // namespace
}  // namespace turnpike::stunclient

int main(int argc, char** argv) {
  using namespace turnpike::stunclient;
  try {
    return main_of(parse_options(argc, argv));
  } catch (const std::invalid_argument& error) {
    std::cerr << "stunclient: " << turnpike::printable(error.what()) << '\n';
    return kUsageError;
  } catch (const std::exception& error) {
    std::cerr << "stunclient: " << turnpike::printable(error.what()) << '\n';
    return kTestFailed;
  }
}
