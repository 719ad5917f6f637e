// Asks a STUN server for this machine's public address, tries a TURN server out, and says what it found: see
// --help.
#include <boost/json/serialize.hpp>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include "client/udp.hpp"
#include "net/system_random.hpp"
#include "stunclient/client.hpp"
#include "stunclient/options.hpp"
#include "stunclient/report.hpp"
#include "stunclient/turn_test.hpp"

namespace turnpike::stunclient {
namespace {

constexpr int kTestFailed = 1;
constexpr int kUsageError = 2;

// Through the resolver for the sake of link-local addresses, whose zone is an interface's name.
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

// An address to send from decides the family as well as --family does.
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

Step bind(Client& client, Report& report) {
  const auto answer = client.ask(client.turn().binding());
  if (!answer) return {{}, answer.error()};
  report.local = client.local();
  report.mapped = answer->success.mapped;
  if (!report.mapped) return {answer->time, bad_answer("mapped address")};
  return {answer->time, std::nullopt};
}

void run_turn(const Context& context, Client& client, Report& report) {
  Endpoint beside = client.local();
  beside.port = 0;
  Client peer(context, beside, client.server(), Client::Connect::no);
  report.turn = TurnTest(client, peer, context.random, context.timeout).run(report.notes);
}

// False when there is no server at this address, so that the name's next one may be tried.
bool test_server(const Context& context, const Options& options, const Endpoint& server, Report& report) {
  report.server = server;
  report.transport = context.transport;
  try {
    Client client(context, local_endpoint(options, server), server, Client::Connect::yes);
    if (const std::string why = client.untrusted(); !why.empty())
      report.notes.push_back("the server's certificate does not verify: " + why);
    report.binding = bind(client, report);
    const bool answered = report.binding.ok() || report.binding.problem->kind == ProblemKind::error_response;
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

Report run(const Context& context, const Options& options) {
  Report report;
  std::vector<Endpoint> servers;
  const std::optional<Family> family = wanted_family(options);
  try {
    servers = client::resolve(options.host, options.port, family);
  } catch (const std::runtime_error& error) {
    report.binding.problem = Problem{ProblemKind::unresolved, 0, error.what(), explain_family(family)};
  }
  for (const Endpoint& server : servers) {
    if (test_server(context, options, server, report)) break;
    if (server != servers.back()) report.notes.push_back(report.binding.problem->message());
  }
  return report;
}

void print(const Report& report, bool as_json) {
  if (as_json) {
    std::cout << boost::json::serialize(to_json(report)) << '\n';
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
                        .transport = options.transport,
                        .host = options.host};
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
    std::cerr << "stunclient: " << error.what() << '\n';
    return kUsageError;
  } catch (const std::exception& error) {
    std::cerr << "stunclient: " << error.what() << '\n';
    return kTestFailed;
  }
}
