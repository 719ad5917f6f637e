#include "stunclient/nat_test.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace turnpike::stunclient {
namespace {

constexpr std::string_view kDirect = "Direct Mapping";
constexpr std::string_view kMappings[] = {"Endpoint-Independent Mapping", "Address-Dependent Mapping",
                                          "Address and Port-Dependent Mapping"};
constexpr std::string_view kFilterings[] = {"Endpoint-Independent Filtering", "Address-Dependent Filtering",
                                            "Address and Port-Dependent Filtering"};

// How long to wait for an answer that the NAT may filter: three transmissions, and the same time again after
// the last one.
constexpr milliseconds kFilterPatience{3000};

client::RequestContents changing(const stun::ChangeRequest& change) {
  client::RequestContents contents;
  const auto flags =
      static_cast<std::uint8_t>((change.ip ? stun::kChangeIp : 0) | (change.port ? stun::kChangePort : 0));
  contents.others.emplace_back(stun::AttributeType::change_request,
                               std::vector<std::uint8_t>{0, 0, 0, flags});
  return contents;
}

Problem no_discovery(std::string advice) {
  return {ProblemKind::no_discovery, 0, "the server offers no NAT behavior discovery", std::move(advice)};
}

}  // namespace

NatTest::NatTest(const Context& context, Client& client, const Known& known)
    : context_(context), client_(client), server_(client.server()), known_(known) {}

NatReport NatTest::run(std::vector<std::string>& notes) {
  NatReport report;
  const std::optional<Problem> problem = check_other();
  report.behavior_test = problem ? Step{{}, problem} : test_mapping(report.behavior);
  if (context_.transport != Transport::udp) {  // RFC 5780 §3.2
    notes.emplace_back(
        "filtering was not tested, because a server can send only on the connection of the client; use "
        "--protocol udp");
  } else {
    report.filtering_test = problem ? Step{{}, problem} : test_filtering(report.filtering);
  }
  return report;
}

// If the server's other address was not really different, every NAT would look harmless.
std::optional<Problem> NatTest::check_other() const {
  if (!known_.other)
    return no_discovery(
        "its answer has no OTHER-ADDRESS, for which it needs a second address (RFC 5780; turnpike: "
        "nat_discovery.alternate)");
  const Endpoint& other = *known_.other;
  if (other.family() != server_.family() || other.address == server_.address || other.port == server_.port ||
      other.address.is_unspecified() || other.port == 0)
    return no_discovery("its OTHER-ADDRESS, " + other.to_string() +
                        ", does not have both a second address and a second port");
  return std::nullopt;
}

Step NatTest::test_mapping(std::optional<std::string_view>& behavior) {
  microseconds time{};
  if (known_.mapped == client_.local()) {
    behavior = kDirect;
    return {time, std::nullopt};
  }
  const auto second = mapped_by({known_.other->address, server_.port}, time);
  if (!second) return {time, second.error()};
  if (*second == known_.mapped) {
    behavior = kMappings[0];
    return {time, std::nullopt};
  }
  const auto third = mapped_by(*known_.other, time);
  if (!third) return {time, third.error()};
  behavior = *third == *second ? kMappings[1] : kMappings[2];
  return {time, std::nullopt};
}

Result<Endpoint, Problem> NatTest::mapped_by(const Endpoint& server, microseconds& time) {
  const auto answer = ask_at(server);
  if (!answer) return answer.error();
  time += answer->time;
  if (!answer->success.mapped) return bad_answer("mapped address");
  return *answer->success.mapped;
}

// Asks another server from the same local port, over any protocol.
Result<Answer, Problem> NatTest::ask_at(const Endpoint& server) {
  try {
    if (!client_.is_stream()) {
      client_.set_server(server);
      return client_.ask(client_.turn().binding());
    }
    Client& client = connections_.emplace_back(context_, client_.local(), server, Client::Connect::yes);
    return client.ask(client.turn().binding());
  } catch (const std::system_error& error) {
    return network_error(error, server, context_.transport);
  } catch (const std::runtime_error& error) {
    return no_tls(error.what());
  }
}

Step NatTest::test_filtering(std::optional<std::string_view>& behavior) {
  Context brief = context_;
  brief.timeout = std::min(context_.timeout, kFilterPatience);
  Endpoint local = client_.local();
  local.port = 0;
  microseconds time{};
  try {
    Client client(brief, local, server_, Client::Connect::no);
    const auto opened = client.ask(client.turn().binding());
    if (!opened) return {time, opened.error()};
    time += opened->time;
    const auto anybody = probe_filtering(client, {.ip = true, .port = true}, time);
    if (!anybody) return {time, anybody.error()};
    if (*anybody) {
      behavior = kFilterings[0];
      return {time, std::nullopt};
    }
    const auto same_address = probe_filtering(client, {.ip = false, .port = true}, time);
    if (!same_address) return {time, same_address.error()};
    behavior = *same_address ? kFilterings[1] : kFilterings[2];
    return {time, std::nullopt};
  } catch (const std::system_error& error) {
    return {time, network_error(error, server_, context_.transport)};
  }
}

Result<bool, Problem> NatTest::probe_filtering(Client& client, const stun::ChangeRequest& change,
                                               microseconds& time) {
  const Clock::time_point started = Clock::now();
  const auto answer = client.ask(client.turn().request(changing(change)), Client::From::anybody);
  time += std::chrono::duration_cast<microseconds>(Clock::now() - started);
  if (!answer && answer.error().kind == ProblemKind::no_answer) return false;
  if (!answer) return answer.error();
  const Endpoint& from = answer->datagram.from;
  const bool as_asked =
      (from.address != server_.address) == change.ip && (from.port != server_.port) == change.port;
  if (as_asked) return true;
  return no_discovery("it was asked to answer from another " +
                      std::string(change.ip ? "address and port" : "port") + " and answers from " +
                      from.to_string());
}

}  // namespace turnpike::stunclient
