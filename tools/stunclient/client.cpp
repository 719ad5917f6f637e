#include "stunclient/client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <string>
#include <system_error>
#include <utility>

#include "net/socket_address.hpp"
#include "turnpike/base/printable.hpp"

namespace turnpike::stunclient {
namespace {

constexpr std::size_t kMaxDatagram = 65536;

client::UdpSocket open_socket(const Endpoint& local, const Endpoint& server, Client::Connect connect) {
  client::UdpSocket socket(local);
  if (connect == Client::Connect::yes) socket.connect(server);
  return socket;
}

// Whether the error is like a lost datagram. All other errors end the transaction.
bool is_passing(int error) {
  return error == EINTR || error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

void check(ssize_t result, const char* what) {
  if (result < 0 && !is_passing(errno)) throw std::system_error(errno, std::generic_category(), what);
}

int poll_timeout(Clock::time_point until) {
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
  return static_cast<int>(std::max(milliseconds(0), left).count());
}

void trace_attributes(std::ostream& out, Bytes datagram) {
  const auto message = stun::MessageView::parse(datagram);
  if (!message) return;
  message->for_each([&](const stun::Attribute& attribute) {
    out << "      attribute 0x" << std::hex << static_cast<unsigned>(attribute.type) << std::dec << ", "
        << attribute.value.size() << " bytes\n";
  });
}

struct Describe {
  std::string operator()(const client::Success& s) const {
    return std::string(name_of(s.method())) + " success";
  }
  std::string operator()(const client::Failure& f) const {
    return std::string(name_of(f.method())) + " error " + std::to_string(f.code) + " " + printable(f.reason);
  }
  std::string operator()(const client::Retry& r) const {
    return std::string(name_of(r.request.method)) + " error " + std::to_string(r.code) + ", a challenge";
  }
  std::string operator()(const client::PeerData&) const { return "data of a peer"; }
  std::string operator()(const client::PeerIcmp&) const { return "an ICMP error of a peer"; }
  std::string operator()(const client::Indication&) const { return "an indication"; }
  std::string operator()(client::Ignored ignored) const {
    switch (ignored) {
      case client::Ignored::not_a_message: return "ignored: no STUN message";
      case client::Ignored::unknown_transaction: return "ignored: not asked for";
      case client::Ignored::bad_integrity: return "ignored: integrity does not verify";
      case client::Ignored::bid_down: return "ignored: password algorithms are missing";
      case client::Ignored::malformed: return "ignored: malformed";
    }
    return "";
  }
};

}  // namespace

Client::Client(const Context& context, const Endpoint& local, const Endpoint& server, Connect connect)
    : context_(context),
      server_(server),
      turn_(context.digester, context.random, {.credentials = context.credentials}) {
  switch (context.transport) {
    case Transport::udp: socket_.emplace(open_socket(local, server, connect)); break;
    case Transport::dtls: dtls_.emplace(local, server, context.host, context.timeout); break;
    case Transport::tcp: stream_.emplace(local, server, std::nullopt, context.timeout); break;
    case Transport::tls:
      stream_.emplace(local, server, client::StreamSocket::Tls{context.host}, context.timeout);
      break;
  }
}

void Client::send(Bytes datagram, const Endpoint& to) {
  if (context_.trace)
    *context_.trace << "  --> " << to.to_string() << "  data, " << datagram.size() << " bytes\n";
  if (stream_) return stream_->send(datagram);
  if (dtls_) return dtls_->send(datagram);
  socket_->send_to(datagram, to);
}

std::optional<client::Datagram> Client::receive(milliseconds timeout) {
  auto datagram = stream_ ? stream_->receive(timeout)
                  : dtls_ ? dtls_->receive(timeout)
                          : socket_->receive(timeout);
  if (datagram && context_.trace)
    *context_.trace << "  <-- " << datagram->from.to_string() << "  data, " << datagram->bytes.size()
                    << " bytes\n";
  return datagram;
}

void Client::set_server(const Endpoint& server) {
  socket_->connect(server);
  server_ = server;
}

Result<Answer, Problem> Client::ask(client::Request request, From from) {
  from_ = from;
  try {
    return transact(request);
  } catch (const std::system_error& error) {
    turn_.abandon(request.id);
    return network_error(error, server_, context_.transport);
  }
}

Result<Answer, Problem> Client::transact(client::Request& request) {
  const Clock::time_point started = Clock::now();
  const Clock::time_point deadline = started + context_.timeout;
  milliseconds wait = kRto;
  ignored_.reset();
  do {
    transmit(request);
    // A stream loses nothing, so a second request would not help.
    const Clock::time_point again = Clock::now() + std::exchange(wait, wait * 2);
    auto heard = listen(request, stream_ ? deadline : std::min(deadline, again));
    if (is_closed()) return connection_closed(server_);
    if (!heard) continue;
    if (auto* retry = std::get_if<client::Retry>(&heard->event)) {
      request = std::move(retry->request);
      wait = kRto;
      continue;
    }
    return conclude(std::move(*heard), std::chrono::duration_cast<microseconds>(Clock::now() - started));
  } while (Clock::now() < deadline);
  turn_.abandon(request.id);
  return no_answer(server_, context_.timeout, ignored_, context_.transport);
}

void Client::transmit(const client::Request& request) {
  trace_sent(request);
  if (stream_) return stream_->send(request.bytes);
  if (dtls_) return dtls_->send(request.bytes);
  const net::SocketAddress to(server_);
  check(sendto(socket_->fd(), request.bytes.data(), request.bytes.size(), 0, &to.any, to.size()), "send");
}

std::optional<Client::Heard> Client::listen(const client::Request& request, Clock::time_point until) {
  while (auto datagram = receive_from_server(until)) {
    client::Event event = turn_.receive(datagram->bytes);
    trace_received(*datagram, event);
    if (record_event(event, request)) return Heard{std::move(*datagram), std::move(event)};
  }
  return std::nullopt;
}

std::optional<client::Datagram> Client::receive_from_server(Clock::time_point until) {
  if (socket_) return receive_datagram(until);
  const milliseconds left(poll_timeout(until));
  return stream_ ? stream_->receive(left) : dtls_->receive(left);
}

std::optional<client::Datagram> Client::receive_datagram(Clock::time_point until) {
  client::Datagram datagram;
  datagram.bytes.resize(kMaxDatagram);
  for (;;) {
    pollfd ready{socket_->fd(), POLLIN, 0};
    const int count = poll(&ready, 1, poll_timeout(until));
    check(count, "poll");
    if (count == 0) return std::nullopt;
    net::SocketAddress from;
    socklen_t from_size = sizeof from;
    const ssize_t size = recvfrom(socket_->fd(), datagram.bytes.data(), datagram.bytes.size(), MSG_DONTWAIT,
                                  &from.any, &from_size);
    check(size, "receive");
    if (size < 0) continue;
    datagram.from = from.endpoint();
    const bool from_server = datagram.from.port == server_.port && datagram.from.address == server_.address;
    if (!from_server && from_ == From::server) continue;
    datagram.bytes.resize(static_cast<std::size_t>(size));
    return datagram;
  }
}

bool Client::record_event(const client::Event& event, const client::Request& request) {
  if (const auto* success = std::get_if<client::Success>(&event))
    return success->message.transaction_id() == request.id;
  if (const auto* failure = std::get_if<client::Failure>(&event))
    return failure->message.transaction_id() == request.id;
  if (const auto* retry = std::get_if<client::Retry>(&event)) return retry->replaces == request.id;
  const auto* ignored = std::get_if<client::Ignored>(&event);
  if (ignored && *ignored != client::Ignored::unknown_transaction) ignored_ = *ignored;
  return false;
}

Result<Answer, Problem> Client::conclude(Heard heard, microseconds time) const {
  if (const auto* failure = std::get_if<client::Failure>(&heard.event))
    return error_response(*failure, {context_.credentials.has_value(), turn_.realm()});
  return Answer{std::move(heard.datagram), std::get<client::Success>(heard.event), time};
}

void Client::trace_sent(const client::Request& request) const {
  if (!context_.trace) return;
  *context_.trace << "  --> " << server_.to_string() << "  " << name_of(request.method) << " request, "
                  << request.bytes.size() << " bytes\n";
  if (context_.trace_attributes) trace_attributes(*context_.trace, request.bytes);
}

void Client::trace_received(const client::Datagram& datagram, const client::Event& event) const {
  if (!context_.trace) return;
  *context_.trace << "  <-- " << datagram.from.to_string() << "  " << std::visit(Describe(), event) << ", "
                  << datagram.bytes.size() << " bytes\n";
  if (context_.trace_attributes) trace_attributes(*context_.trace, datagram.bytes);
}

}  // namespace turnpike::stunclient
