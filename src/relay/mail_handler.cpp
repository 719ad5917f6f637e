#include "relay/mail_handler.hpp"

#include <variant>

#include "relay/attempt.hpp"

namespace turnpike::relay {

void MailHandler::handle_all(const std::vector<Mail>& all, TimePoint now) {
  for (const Mail& mail : all) {
    attempt(parts_.out_of_memory, [&] { std::visit([&](const auto& each) { handle(each, now); }, mail); });
  }
}

void MailHandler::handle(const PeerClosed& mail, TimePoint) { parts_.server.on_peer_closed(mail.connection); }

void MailHandler::handle(const CloseDataConnection& mail, TimePoint) {
  parts_.tcp_relays.close_data_connection(mail.connection);
}

void MailHandler::handle(const FromClient& mail, TimePoint now) {
  // After the end of an allocation, a message is for the worker that received it from the client.
  if (!mail.begins && !parts_.server.knows(mail.tuple)) return parts_.roaming.send_back(mail);
  parts_.roaming.add_guest(mail.tuple, mail.worker);
  parts_.server.on_client(mail.tuple, mail.message, now, parts_.output);
  // The ticket may be of a third worker, which must get the message from the worker that the client reaches.
  if (!parts_.output.forwards().empty()) {
    parts_.output.clear_forwards();
    parts_.roaming.send_back(mail);
  }
  parts_.output.leave(mail.tuple);  // the worker then checks whether the client has an allocation here
}

void MailHandler::handle(const Returned& mail, TimePoint now) {
  if (parts_.roaming.forget(mail.tuple, mail.worker)) parts_.clients.set_allocation(mail.tuple, false, now);
  if (!mail.message.empty()) parts_.host.on_client(mail.tuple, mail.message, now);
}

void MailHandler::handle(const ClientClosed& mail, TimePoint now) {
  parts_.server.on_client_closed(mail.tuple, now, parts_.output);
  parts_.output.leave(mail.tuple);
}

void MailHandler::handle(const ToClient& mail, TimePoint) {
  parts_.clients.add({.tuple = mail.tuple, .payload = {}}, mail.message);
}

void MailHandler::handle(const FromRelays& mail, TimePoint now) {
  for (const FromRelays::Datagram& datagram : mail.datagrams()) {
    attempt(parts_.out_of_memory, [&] {
      parts_.server.on_relayed(datagram.relayed, datagram.from, mail.payload(datagram), now, parts_.output);
    });
  }
}

void MailHandler::handle(const ForgetClient& mail, TimePoint now) {
  if (parts_.roaming.forget(mail.tuple, mail.worker)) parts_.clients.set_allocation(mail.tuple, false, now);
}

void MailHandler::handle(const SettingsUpdate& mail, TimePoint now) {
  parts_.host.on_settings(mail.settings, now);
}

void MailHandler::handle(const ListAllocations& mail, TimePoint now) {
  if (!mail.ended_by) return mail.answer(parts_.server.list_allocations(now));
  const turn::Settings settings = mail.ended_by->core();
  mail.answer(parts_.server.list_allocations(now, &settings));
}

void MailHandler::handle(const EndAllocation& mail, TimePoint now) {
  mail.answer(parts_.server.end_allocation(mail.number, now, parts_.output));
}

void MailHandler::handle(const ShowLife& mail, TimePoint) { mail.answer(); }

}  // namespace turnpike::relay
