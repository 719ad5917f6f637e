#include "stunclient/dns.hpp"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>

#include <array>
#include <optional>
#include <stdexcept>

#include "turnpike/base/bytes.hpp"

namespace turnpike::stunclient {
namespace {

constexpr int kSecondsPerTry = 2;
constexpr int kQueryTries = 2;

// The state of the C library's resolver for one query.
class Resolver {
 public:
  Resolver() {
    if (res_ninit(&state_) != 0) throw std::runtime_error("the resolver cannot be set up");
    state_.retrans = kSecondsPerTry;
    state_.retry = kQueryTries;
  }
  ~Resolver() { res_nclose(&state_); }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Returns an empty answer when the name or the type does not exist.
  std::vector<std::uint8_t> ask(const std::string& name, ns_type type) {
    std::vector<std::uint8_t> answer(NS_MAXMSG);
    const int size =
        res_nquery(&state_, name.c_str(), ns_c_in, type, answer.data(), static_cast<int>(answer.size()));
    if (size >= 0) {
      answer.resize(static_cast<std::size_t>(size));
      return answer;
    }
    const int error = state_.res_h_errno;
    if (error == HOST_NOT_FOUND || error == NO_DATA) return {};
    throw std::runtime_error("no name server answers for " + name + ": " + hstrerror(error));
  }

 private:
  struct __res_state state_ {};
};

// Calls visit(message, data) for each record of the type.
template <class Visitor>
void for_each_record(const std::vector<std::uint8_t>& answer, ns_type type, Visitor&& visit) {
  ns_msg message;
  if (answer.empty() || ns_initparse(answer.data(), static_cast<int>(answer.size()), &message) != 0) return;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) return;
    if (ns_rr_type(record) == type) visit(message, Bytes(ns_rr_rdata(record), ns_rr_rdlen(record)));
  }
}

// Reads a name at the end of a record's data.
std::optional<std::string> read_name(const ns_msg& message, Bytes data) {
  std::array<char, NS_MAXDNAME> name{};
  if (dn_expand(ns_msg_base(message), ns_msg_end(message), data.data(), name.data(), name.size()) < 0)
    return std::nullopt;
  return *name.data() == '\0' ? "." : name.data();
}

// Reads a <character-string> (RFC 1035 §3.3).
std::string read_string(ByteReader& reader) { return std::string(as_text(reader.take(reader.u8()))); }

}  // namespace

std::vector<Srv> find_srv(const std::string& name) {
  std::vector<Srv> records;
  for_each_record(Resolver().ask(name, ns_t_srv), ns_t_srv, [&](const ns_msg& message, Bytes data) {
    ByteReader reader(data);
    Srv record;
    record.priority = reader.u16();
    record.weight = reader.u16();
    record.port = reader.u16();
    const auto target = reader.ok() ? read_name(message, reader.rest()) : std::nullopt;
    if (target) record.target = *target, records.push_back(record);
  });
  return records;
}

std::vector<Naptr> find_naptr(const std::string& name) {
  std::vector<Naptr> records;
  for_each_record(Resolver().ask(name, ns_t_naptr), ns_t_naptr, [&](const ns_msg& message, Bytes data) {
    ByteReader reader(data);
    Naptr record;
    record.order = reader.u16();
    record.preference = reader.u16();
    record.flags = read_string(reader);
    record.services = read_string(reader);
    record.regexp = read_string(reader);
    const auto replacement = reader.ok() ? read_name(message, reader.rest()) : std::nullopt;
    if (replacement) record.replacement = *replacement, records.push_back(std::move(record));
  });
  return records;
}

}  // namespace turnpike::stunclient
