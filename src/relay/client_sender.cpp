#include "relay/client_sender.hpp"

#include "relay/attempt.hpp"

namespace turnpike::relay {

// The datagrams that a relay has received in one pass are consecutive.
std::uint64_t ClientSender::send(const turn::Output& output) {
  std::uint64_t flows = 0;
  const FiveTuple* last_client = nullptr;
  for (const turn::Output::ToClient& message : output.to_clients()) {
    const Bytes head = output.head(message);
    if (!last_client || message.tuple != *last_client) ++flows;
    last_client = &message.tuple;
    if (Clients::has_connection(message.tuple)) {
      attempt(out_of_memory_, [&] { send_on_connection(message, head); });
    } else {
      clients_.add(message, head);
    }
  }
  clients_.send();
  return flows;
}

void ClientSender::send_on_connection(const turn::Output::ToClient& message, Bytes head) {
  const bool with_another =
      roaming_.send(message.tuple, head, message.payload, message.padding, Streams::is_media(head));
  if (!with_another) clients_.add(message, head);
}

}  // namespace turnpike::relay
