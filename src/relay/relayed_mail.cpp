#include "relay/relayed_mail.hpp"

#include <utility>

namespace turnpike::relay {
namespace {

constexpr std::size_t kMaxInMail = 1 << 16;  // octets; after that, another mail begins

}  // namespace

void RelayedMail::send(const std::vector<turn::Output::ToRelay>& messages) {
  if (messages.empty()) return;
  for (const turn::Output::ToRelay& message : messages) {
    FromRelays& mail = to_workers_[message.worker];
    mail.add(message);
    if (mail.size() >= kMaxInMail) mailboxes_[message.worker].post(std::exchange(mail, {}));
  }
  for (std::size_t worker = 0; worker < to_workers_.size(); ++worker) {
    FromRelays& mail = to_workers_[worker];
    if (!mail.datagrams().empty()) mailboxes_[worker].post(std::exchange(mail, {}));
  }
}

}  // namespace turnpike::relay
