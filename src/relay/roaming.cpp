#include "relay/roaming.hpp"

#include <utility>

#include "turnpike/stun/types.hpp"

namespace turnpike::relay {

namespace {

bool is_request(Bytes message) {
  return message.size() >= 2 &&
         stun::MessageType::from_wire(load_u16(message.data())).message_class == stun::Class::request;
}

}  // namespace

bool Roaming::begin(const turn::Output::Forward& forward) {
  const auto [away, added] = away_.try_emplace(forward.tuple, forward.worker);
  const unsigned before = std::exchange(away->second, forward.worker);
  if (post(forward.worker, forward.tuple, forward.message, true)) return true;
  away->second = before;
  if (added) away_.erase(away);
  return false;
}

bool Roaming::forward_if_away(const FiveTuple& tuple, Bytes message) {
  const auto found = away_.find(tuple);
  if (found == away_.end()) return false;
  post(found->second, tuple, message, false);
  return true;
}

bool Roaming::post(unsigned worker, const FiveTuple& tuple, Bytes message, bool begins) {
  return mailboxes_[worker].post(FromClient{worker_, begins, tuple, {message.begin(), message.end()}},
                                 message.size(), !is_request(message));
}

void Roaming::send_back(const FromClient& mail) {
  mailboxes_[mail.worker].post(Returned{worker_, mail.tuple, mail.message});
}

bool Roaming::on_closed(const FiveTuple& tuple) {
  const auto found = away_.find(tuple);
  if (found == away_.end()) return false;
  mailboxes_[found->second].post(ClientClosed{tuple});
  away_.erase(found);
  return true;
}

bool Roaming::send_if_guest(const FiveTuple& tuple, Bytes head, Bytes payload, std::size_t padding,
                            bool is_media) {
  const auto found = guests_.find(tuple);
  if (found == guests_.end()) return false;
  ToClient mail{tuple, {head.begin(), head.end()}};
  mail.message.insert(mail.message.end(), payload.begin(), payload.end());
  mail.message.resize(mail.message.size() + padding);
  const std::size_t size = mail.message.size();
  mailboxes_[found->second].post(std::move(mail), size, is_media);
  return true;
}

bool Roaming::forget(const FiveTuple& tuple, unsigned worker) {
  const auto found = away_.find(tuple);
  if (found == away_.end() || found->second != worker) return false;
  away_.erase(found);
  return true;
}

void Roaming::forget_guest(const FiveTuple& tuple) {
  const auto found = guests_.find(tuple);
  if (found == guests_.end()) return;
  mailboxes_[found->second].post(ForgetClient{worker_, tuple});
  guests_.erase(found);
}

}  // namespace turnpike::relay
