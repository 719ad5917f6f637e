#include "stunclient/report.hpp"

#include <array>
#include <boost/json/array.hpp>
#include <cstdio>
#include <ostream>

#include "turnpike/base/printable.hpp"

namespace turnpike::stunclient {
namespace {

using boost::json::object;
using std::chrono::microseconds;

double milliseconds_of(microseconds time) { return static_cast<double>(time.count()) / 1000; }

std::string text_of(microseconds time) {
  const double milliseconds = milliseconds_of(time);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f ms", milliseconds < 1 ? 2 : 1, milliseconds);
  return text.data();
}

void print_step(std::ostream& out, const char* name, const Step& step) {
  out << name << " test: ";
  if (step.ok()) {
    out << "success (" << text_of(step.time) << ")\n";
  } else {
    out << "fail\n";
  }
}

void print_step(std::ostream& out, const char* name, const std::optional<Step>& step) {
  if (step) print_step(out, name, *step);
}

void print_address(std::ostream& out, const char* name, const std::optional<Endpoint>& address) {
  if (address) out << name << " address: " << address->to_string() << '\n';
}

void print_time(std::ostream& out, const char* name, const std::optional<microseconds>& time) {
  if (time) out << name << " round trip: " << text_of(*time) << '\n';
}

void print_verdict(std::ostream& out, const char* name, const Step& step) {
  out << name << " test: " << (step.ok() ? "success" : "fail") << '\n';
}

void print_nat(std::ostream& out, const NatReport& nat) {
  print_verdict(out, "Behavior", nat.behavior_test);
  if (nat.behavior) out << "Nat behavior: " << *nat.behavior << '\n';
  if (nat.filtering_test) print_verdict(out, "Filtering", *nat.filtering_test);
  if (nat.filtering) out << "Nat filtering: " << *nat.filtering << '\n';
}

void print_path(std::ostream& out, const PathReport& path) {
  out << "Path: " << path.name << '\n';
  print_step(out, "Peer", path.peer);
  print_address(out, "Peer", path.peer_address);
  print_step(out, "Permission", path.permission);
  print_step(out, "Channel", path.channel);
  print_step(out, "Relay", path.relay);
  print_time(out, "Indication", path.indication_round_trip);
  print_time(out, "Channel", path.channel_round_trip);
}

void print_turn(std::ostream& out, const TurnReport& turn) {
  print_step(out, "Allocation", turn.allocation);
  print_address(out, "Relayed", turn.relayed);
  if (turn.path) print_path(out, *turn.path);
  print_step(out, "Release", turn.release);
}

// Calls visit(name, step) in order for each step that was reached.
template <class Visitor>
void for_each_step(const PathReport& path, Visitor&& visit) {
  visit("Peer", path.peer);
  if (path.permission) visit("Permission", *path.permission);
  if (path.channel) visit("Channel", *path.channel);
  if (path.relay) visit("Relay", *path.relay);
}

template <class Visitor>
void for_each_step(const Report& report, Visitor&& visit) {
  visit("Binding", report.binding);
  if (report.nat) {
    visit("Behavior", report.nat->behavior_test);
    if (report.nat->filtering_test) visit("Filtering", *report.nat->filtering_test);
  }
  if (!report.turn) return;
  visit("Allocation", report.turn->allocation);
  if (report.turn->path) for_each_step(*report.turn->path, visit);
  if (report.turn->release) visit("Release", *report.turn->release);
}

object to_json(const Problem& problem) {
  object json{{"kind", to_string(problem.kind)}};
  if (problem.code != 0) json["code"] = problem.code;
  json["message"] = problem.message();
  return json;
}

object to_json(const Step& step) {
  object json{{"success", step.ok()}};
  if (step.ok()) {
    json["time_ms"] = milliseconds_of(step.time);
  } else {
    json["error"] = to_json(*step.problem);
  }
  return json;
}

void add(object& json, const char* name, const std::optional<Endpoint>& address) {
  if (address) json[name] = address->to_string();
}

void add(object& json, const char* name, const std::optional<Step>& step) {
  if (step) json[name] = to_json(*step);
}

void add(object& json, const char* name, const std::optional<microseconds>& time) {
  if (time) json[name] = milliseconds_of(*time);
}

void add_path(object& json, const PathReport& path) {
  json["path"] = path.name;
  json["peer"] = to_json(path.peer);
  add(json, "peer_address", path.peer_address);
  add(json, "permission", path.permission);
  add(json, "channel", path.channel);
  add(json, "relay", path.relay);
  add(json, "indication_round_trip_ms", path.indication_round_trip);
  add(json, "channel_round_trip_ms", path.channel_round_trip);
}

object to_json(const Step& step, const std::optional<std::string_view>& behavior) {
  object json = to_json(step);
  if (behavior) json["behavior"] = *behavior;
  return json;
}

object to_json(const NatReport& nat) {
  object json;
  json["mapping"] = to_json(nat.behavior_test, nat.behavior);
  if (nat.filtering_test) json["filtering"] = to_json(*nat.filtering_test, nat.filtering);
  return json;
}

object to_json(const TurnReport& turn) {
  object json{{"allocation", to_json(turn.allocation)}};
  if (!turn.realm.empty()) json["realm"] = printable(turn.realm);
  add(json, "relayed_address", turn.relayed);
  if (turn.lifetime) json["lifetime_s"] = turn.lifetime->count();
  if (turn.path) add_path(json, *turn.path);
  add(json, "release", turn.release);
  return json;
}

}  // namespace

const Problem* PathReport::first_problem() const {
  const Problem* first = nullptr;
  for_each_step(*this, [&](const char*, const Step& step) {
    if (!first && step.problem) first = &*step.problem;
  });
  return first;
}

bool Report::ok() const {
  bool all = true;
  for_each_step(*this, [&](const char*, const Step& step) { all = all && step.ok(); });
  return all && (!turn || (turn->path && turn->path->ok() && turn->release));
}

void print_text(std::ostream& out, const Report& report) {
  print_verdict(out, "Binding", report.binding);
  print_address(out, "Local", report.local);
  print_address(out, "Mapped", report.mapped);
  if (report.nat) print_nat(out, *report.nat);
  if (report.turn) print_turn(out, *report.turn);
}

void print_problems(std::ostream& out, const Report& report) {
  for (const std::string& note : report.notes) out << "stunclient: note: " << printable(note) << '\n';
  for_each_step(report, [&](const char* name, const Step& step) {
    if (step.problem) out << "stunclient: " << name << ": " << printable(step.problem->message()) << '\n';
  });
}

object to_json(const Report& report) {
  object json{{"success", report.ok()}};
  add(json, "server", report.server);
  json["protocol"] = turnpike::to_string(report.transport);
  object binding = to_json(report.binding);
  add(binding, "local_address", report.local);
  add(binding, "mapped_address", report.mapped);
  add(binding, "other_address", report.other);
  json["binding"] = std::move(binding);
  if (report.nat) json["nat"] = to_json(*report.nat);
  if (report.turn) json["turn"] = to_json(*report.turn);
  if (!report.notes.empty()) json["notes"] = boost::json::array(report.notes.begin(), report.notes.end());
  return json;
}

}  // namespace turnpike::stunclient
