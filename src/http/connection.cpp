#include "http/connection.hpp"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>

#include "http/answer_writer.hpp"
#include "http/client_watch.hpp"
#include "http/deadline.hpp"
#include "http/open_web_socket.hpp"
#include "http/stream.hpp"
#include "http/string_view.hpp"
#include "http/to_https.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/text.hpp"
#include "turnpike/signaling/close_code.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

using Error = boost::system::error_code;
using Parser = beast::http::request_parser<beast::http::string_body>;

constexpr std::size_t kMaxHeader = 16 << 10;
// The most octets that are read and not parsed yet: a header and one read. Beast limits neither the
// extensions of a chunk nor the trailer fields, and parses each of them only when all of it has come.
constexpr std::size_t kMaxUnparsed = kMaxHeader + (64 << 10);
constexpr std::uint32_t kMaxRefusals = 100;  // answered at the same time
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr unsigned kHttp11 = 11;  // as Beast writes versions

Response too_many_connections() {
  Response response = error_response(429, "there are too many connections from this address");
  response.set("Retry-After", "10");
  return response;
}

// Answers a client that has too many connections, without reading its request.
Awaitable<void> refuse(TcpSocket socket, const std::string& date) {
  Response response = too_many_connections();
  response.set("Date", date);
  const std::string octets = to_octets(response);
  const auto [error, sent] = co_await asio::async_write(socket, asio::buffer(octets), net::kAsTuple);
  if (error) co_return;
  Deadline deadline(socket);
  deadline.set(kEndOfConnection);
  co_await shut_down_and_drain(socket, deadline);
}

// Joins several header lines of one name, since Beast reads only the first of them (RFC 9110 §5.3).
void join_lines(beast::http::fields& fields, beast::http::field name) {
  const auto [first, end] = fields.equal_range(name);
  if (first == end || std::next(first) == end) return;
  std::string all;
  for (auto field = first; field != end; ++field) {
    all.append(all.empty() ? "" : ", ").append(view(field->value()));
  }
  fields.set(name, all);
}

// The answer to a request whose end is not known, so that the connection has to end as well. Beast takes no
// body for what follows such a header, and would read a request out of it.
std::optional<Response> find_fault_of_framing(const Parser& parser) {
  const auto& message = parser.get();
  if (message.method() == beast::http::verb::connect) return error_response(501, "this is no proxy");
  const auto [first, end] = message.equal_range(beast::http::field::transfer_encoding);
  if (first == end) return std::nullopt;
  if (message.version() < kHttp11)
    return error_response(400, "HTTP/1.0 has no Transfer-Encoding");  // RFC 9112 §6.1
  if (std::next(first) == end && beast::iequals(first->value(), "chunked")) return std::nullopt;
  if (parser.chunked()) return error_response(501, "chunked is the only transfer coding here");
  return error_response(400, "chunked is not the last transfer coding");  // RFC 9112 §6.3
}

// Returns an error answer to an upgrade that does not conform to RFC 6455 §4.2.1.
std::optional<Response> find_fault_of_upgrade(const Request& request) {
  constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::size_t kKeyDigits = 22;  // the digits of 16 octets, which nobody decodes
  if (request.header("sec-websocket-version") != "13") return upgrade_required("the version is 13");
  const std::string_view key = request.header("sec-websocket-key");
  if (key.find_first_not_of(kBase64) != kKeyDigits || key.substr(kKeyDigits) != "==")
    return error_response(400, "the Sec-WebSocket-Key has to be 16 octets in base64");
  return std::nullopt;
}

// What the client of a WebSocket that nobody serves sends until it has closed.
class UnservedWebSocket final : public WebSocketHandler {
 public:
  void on_open(std::uint64_t, std::shared_ptr<WebSocket>, const Request&) override {}
  void on_message(std::uint64_t, std::string_view, bool) override {}
  void on_closed(std::uint64_t, bool) override {}
};

// A place in the count of a source. Its destructor releases the place, however the connection ends.
template <class Release>
class Place {
 public:
  explicit Place(Release release) : release_(std::move(release)) {}
  ~Place() { release_(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  Release release_;
};

}  // namespace

class Server::Connection::Served final : public Connection {
 public:
  Served(Server& server, TcpSocket socket, net::AcceptedConnection arrival)
      : server_(server),
        number_(++server.last_number_),
        peer_(arrival.peer),
        by_unix_socket_(arrival.by_unix_socket),
        to_https_(arrival.to_https),
        has_shaken_hands_(arrival.tls != nullptr),
        stream_(std::make_unique<Stream>(std::move(socket), session_for(server, arrival))),
        deadline_(stream_->next_layer()),
        watch_(stream_->next_layer()) {
    ++server_.counters_.connections;
    server_.add(number_, *this);
    const auto early = asio::buffer(arrival.received);
    buffer_.max_size(std::max(kMaxUnparsed, early.size()));
    buffer_.commit(asio::buffer_copy(buffer_.prepare(early.size()), early));
  }
  ~Served() override { server_.remove(number_); }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  Awaitable<void> run();
  void stop() override;
  void abort() override;

 private:
  Awaitable<bool> serve_request();
  Awaitable<bool> wait_for_request();
  Awaitable<bool> serve_counted(Parser& parser, Request& request);
  Awaitable<bool> receive_and_handle(Parser& parser, Request& request);
  Awaitable<bool> answer_broken(Error error, const Parser& parser);
  Awaitable<bool> serve_upgrade(const Parser& parser, const Request& request);
  Awaitable<bool> receive_body(Parser& parser);
  Awaitable<bool> answer(const Parser& parser, const Request& request, Response response);
  Response answer_options(const Request& request) const;
  void explain_to_page(const Request& request, Response& response) const;
  Awaitable<bool> write(Response response, AnswerFraming framing);
  Awaitable<void> upgrade(const Parser& parser, const Request& request, WebSocketHandler& handler);
  Response too_many(const IpAddress& client);
  std::optional<Response> find_refusal(const Request& request) const;
  bool came_to_loopback() const;
  void name_client(const Parser& parser, Request& request) const;
  std::optional<std::string_view> describe(Parser& parser, Request& request) const;
  static net::TlsSession session_for(Server& server, net::AcceptedConnection& arrival);

  Server& server_;
  std::uint64_t number_;
  IpAddress peer_;
  bool by_unix_socket_;
  net::ToHttps to_https_;
  bool has_shaken_hands_;
  std::unique_ptr<Stream> stream_;  // null after a WebSocket has taken it over
  Deadline deadline_;
  ClientWatch watch_;
  beast::flat_buffer buffer_;
  std::shared_ptr<OpenWebSocket> web_socket_;
  bool answering_ = false;  // a request has come and is not answered yet
  bool stopping_ = false;
};

Awaitable<void> Server::Connection::serve(Server& server, Socket socket, net::AcceptedConnection arrival) {
  if (server.stopping_) co_return;  // nobody would stop a connection that begins now
  const IpAddress peer = arrival.peer;
  const bool proxy = server.proxies_.is_trusted(peer);
  if (!server.admit(peer)) {
    if (arrival.secure || server.being_refused_ >= kMaxRefusals) co_return;
    ++server.being_refused_;
    const Place refusing([&] { --server.being_refused_; });
    co_await refuse(std::move(socket), server.date_.now());
    co_return;
  }
  const Place place([&] {
    if (!proxy) server.connections_from_.release(peer);
  });
  if (arrival.secure && !arrival.tls && !server.admit_handshake(peer)) co_return;
  Served connection(server, std::move(socket), std::move(arrival));
  co_await connection.run();
}

Awaitable<void> Server::Connection::Served::run() {
  if (stream_->secure() && !has_shaken_hands_) {
    deadline_.set(server_.params_.deadlines.handshake);
    const auto [error] = co_await stream_->async_handshake(net::kAsTuple);
    if (error) co_return;
  }
  while (!stopping_ && co_await serve_request()) {
    answering_ = false;
  }
  if (!stream_) co_return;
  deadline_.clear();
  co_await stream_->end();
}

void Server::Connection::Served::stop() {
  stopping_ = true;
  if (web_socket_) {
    web_socket_->close(signaling::kGoingAway, signaling::kRestarting);
  } else if (!answering_) {
    Error ignored;
    stream_->next_layer().cancel(ignored);  // the connection waits for a request
  }
}

void Server::Connection::Served::abort() {
  stopping_ = true;
  if (web_socket_) return web_socket_->abort();
  Error ignored;
  stream_->next_layer().close(ignored);
  // A client that has sent something early is not watched any more, and its request would wait on.
  watch_.report_gone();
}

// Waits for the next request, at most for Deadlines::idle. Returns false when the connection has ended. Empty
// lines before a request are ignored, since some clients write one behind a body (RFC 9112 §2.2).
Awaitable<bool> Server::Connection::Served::wait_for_request() {
  constexpr std::string_view kEmptyLine = "\r\n";
  deadline_.set(server_.params_.deadlines.idle);
  for (;;) {
    const auto data = buffer_.cdata();
    const std::string_view received(static_cast<const char*>(data.data()), data.size());
    if (received.starts_with(kEmptyLine)) {
      buffer_.consume(kEmptyLine.size());
    } else if (!kEmptyLine.starts_with(received)) {
      co_return true;
    } else {
      const auto [error, size] = co_await stream_->async_read_some(buffer_.prepare(1024), net::kAsTuple);
      buffer_.commit(size);
      if (error) co_return false;
    }
  }
}

// Serves one request. Returns false when it was the last of this connection.
Awaitable<bool> Server::Connection::Served::serve_request() {
  if (!co_await wait_for_request()) co_return false;
  Parser parser;
  parser.header_limit(kMaxHeader);
  parser.body_limit(boost::none);  // the limit depends on the request
  deadline_.set(server_.params_.deadlines.headers);
  auto [error, size] = co_await beast::http::async_read_header(*stream_, buffer_, parser, net::kAsTuple);
  if (error) co_return co_await answer_broken(error, parser);
  ++server_.counters_.requests;
  answering_ = true;
  if (std::optional<Response> fault = find_fault_of_framing(parser)) {
    co_return co_await write(std::move(*fault), {});
  }

  Request request;
  if (const auto fault = describe(parser, request)) {
    co_return co_await answer(parser, request, error_response(400, *fault));
  }
  if (to_https_ != net::ToHttps::no) co_return co_await answer(parser, request, to_https(request, to_https_));
  co_return co_await serve_counted(parser, request);
}

// Serves a request whose header is understood. While it is served, a client behind a proxy has a place in the
// count of its address; the proxy itself has no limit.
Awaitable<bool> Server::Connection::Served::serve_counted(Parser& parser, Request& request) {
  if (!request.proxied || request.client == peer_) co_return co_await receive_and_handle(parser, request);
  if (!server_.connections_from_.take(request.client))
    co_return co_await answer(parser, request, too_many(request.client));
  const Place place([this, client = request.client] { server_.connections_from_.release(client); });
  co_return co_await receive_and_handle(parser, request);
}

// A body takes memory and time, so the client must have a place in the count before.
Awaitable<bool> Server::Connection::Served::receive_and_handle(Parser& parser, Request& request) {
  // Before the body, since Beast adds the trailer fields behind it to the header.
  const bool is_upgrade = beast::websocket::is_upgrade(parser.get());
  std::optional<Response> refusal = find_refusal(request);
  Arrival arrival;
  if (!refusal) arrival = server_.router_.arrive(request);
  if (arrival.refusal) co_return co_await answer(parser, request, std::move(*arrival.refusal));
  const std::uint64_t max_body = std::max(server_.params_.limits.message_bytes, arrival.max_body);
  parser.body_limit(max_body);
  if (parser.content_length().value_or(0) > max_body)
    co_return co_await answer_broken(beast::http::error::body_limit, parser);
  if (!parser.is_done() && !co_await receive_body(parser)) co_return false;
  request.body = parser.get().body();
  if (refusal) co_return co_await answer(parser, request, std::move(*refusal));
  if (is_upgrade) co_return co_await serve_upgrade(parser, request);
  if (request.method == "OPTIONS") co_return co_await answer(parser, request, answer_options(request));
  request.watch = [this](std::function<void()> gone) {
    deadline_.clear();
    watch_.begin(std::move(gone));
  };
  Response response = co_await server_.router_.handle(request);
  watch_.end();
  arrival.until_answered.reset();  // the client may ask again as soon as it has the answer
  co_return co_await answer(parser, request, std::move(response));
}

Response Server::Connection::Served::answer_options(const Request& request) const {
  if (!server_.origins_.allows(request)) server_.report_refused(refused_origin(request));
  Response response = server_.origins_.preflight(request);
  if (request.path == "*") response.set("Allow", "GET, HEAD, POST, OPTIONS");  // RFC 9110 §9.3.7
  return response;
}

// Answers a request for a WebSocket. Returns whether the connection continues, as it may after a refusal.
Awaitable<bool> Server::Connection::Served::serve_upgrade(const Parser& parser, const Request& request) {
  WebSocketHandler* handler = server_.router_.web_socket(request.path);
  if (!handler)
    co_return co_await answer(parser, request, error_response(404, "there is no WebSocket at this path"));
  if (!server_.origins_.allows(request)) {
    server_.report_refused(refused_origin(request));
    co_return co_await answer(parser, request, handler->forbid_origin(request));
  }
  if (std::optional<Response> fault = handler->check(request)) {
    co_return co_await answer(parser, request, std::move(*fault));
  }
  if (std::optional<Response> fault = find_fault_of_upgrade(request)) {
    co_return co_await answer(parser, request, std::move(*fault));
  }
  co_await upgrade(parser, request, *handler);
  co_return false;
}

// Reads the body. A client may wait for a 100 response before it sends the body (RFC 9110 §10.1.1). Returns
// false when the connection ends.
Awaitable<bool> Server::Connection::Served::receive_body(Parser& parser) {
  deadline_.set(server_.params_.deadlines.body);
  std::string_view expected = view(parser.get()[beast::http::field::expect]);
  bool waits = false;
  for (auto one = take_last_member(expected); !one.empty(); one = take_last_member(expected)) {
    waits = parser.get().version() >= kHttp11;
    if (waits && !beast::iequals(one, "100-continue")) {
      co_return co_await write(error_response(417, "only 100-continue may be expected"), {});
    }
  }
  if (waits) {
    const auto [error, size] = co_await asio::async_write(*stream_, asio::buffer(kContinue), net::kAsTuple);
    if (error) co_return false;
  }
  const auto [error, size] = co_await beast::http::async_read(*stream_, buffer_, parser, net::kAsTuple);
  if (error) co_return co_await answer_broken(error, parser);
  co_return true;
}

// Returns the answer for a client behind a proxy that has as many connections as allowed.
Response Server::Connection::Served::too_many(const IpAddress& client) {
  ++server_.counters_.refused;
  server_.report_refused({"connection", "signaling.connections_per_address", client});
  return too_many_connections();
}

bool Server::Connection::Served::came_to_loopback() const {
  if (by_unix_socket_) return false;
  Error error;
  const auto local = stream_->next_layer().local_endpoint(error);
  if (error) return false;
  const auto address = local.address();
  return address.is_v4() ? address.to_v4().is_loopback() : address.to_v6().is_loopback();
}

// Refuses a request for a foreign host, if foreign hosts are not allowed; see Hosts.
std::optional<Response> Server::Connection::Served::find_refusal(const Request& request) const {
  if (!server_.params_.open || !came_to_loopback()) return std::nullopt;
  const std::string_view host = host_without_port(request.authority);
  if (request.authority.empty() || (!host.empty() && server_.hosts_.allows(host))) return std::nullopt;
  const std::string_view key = server_.params_.hosts_key;
  server_.report_refused({"host", key, request.client, std::string(request.authority)});
  return error_response(
      403, std::string("this server is not known by that name; ").append(key) + " lists its names");
}

net::TlsSession Server::Connection::Served::session_for(Server& server, net::AcceptedConnection& arrival) {
  if (arrival.tls || !arrival.secure) return std::move(arrival.tls);
  return server.tls_->get()->new_session(net::TlsUse::http);
}

// Answers a malformed request if the client can still receive an answer. The connection ends.
Awaitable<bool> Server::Connection::Served::answer_broken(Error error, const Parser& parser) {
  const bool is_http = error.category() == make_error_code(beast::http::error::end_of_stream).category();
  const bool cut_off =
      error == beast::http::error::end_of_stream || error == beast::http::error::partial_message;
  if (!deadline_.expired() && (cut_off || !is_http)) co_return false;  // the client is no longer there
  Request request;
  name_client(parser, request);
  unsigned status = 400;
  if (deadline_.expired()) {
    status = 408;
  } else if (error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow) {
    status = 431;
  } else if (error == beast::http::error::body_limit) {
    status = 413;
    server_.report_refused({"message", "signaling.max_payload", request.client});
  }
  Response response = error_response(status, error == beast::http::error::body_limit ? "too much" : "");
  explain_to_page(request, response);
  co_return co_await write(std::move(response), {});
}

// Copies the headers into the request, and sets its client, which is found by the chain of trusted proxies.
void Server::Connection::Served::name_client(const Parser& parser, Request& request) const {
  for (const auto& field : parser.get())
    request.headers.emplace_back(view(field.name_string()), view(field.value()));
  request.proxied = server_.proxies_.is_trusted(peer_);
  request.client = server_.proxies_.client(peer_, request.header_list("x-forwarded-for"));
}

// Fills the request except its body. Returns the fault of the request, if it has one.
std::optional<std::string_view> Server::Connection::Served::describe(Parser& parser, Request& request) const {
  auto& message = parser.get();
  join_lines(message, beast::http::field::connection);
  join_lines(message, beast::http::field::upgrade);
  join_lines(message, beast::http::field::expect);
  request.method = view(message.method_string());
  request.secure = stream_->secure();
  request.by_unix_socket = by_unix_socket_;
  name_client(parser, request);
  const auto version = message.version() >= kHttp11 ? HttpVersion::http_1_1 : HttpVersion::http_1_0;
  if (const auto fault = take_target(view(message.target()), version, request)) return fault;
  const bool forwarded = request.proxied || !request.header("x-forwarded-for").empty() ||
                         !request.header("forwarded").empty() || !request.header("via").empty();
  const std::string_view host = host_without_port(request.authority);
  if (!forwarded && is_host(host)) request.host = host;
  return std::nullopt;
}

// A page of an allowed origin may read why its request was refused, whatever has refused it. Handlers that
// decide themselves which origins may read their answers have set Vary.
void Server::Connection::Served::explain_to_page(const Request& request, Response& response) const {
  constexpr unsigned kFirstError = 400;
  if (response.status >= kFirstError && !request.header("origin").empty() && !response.has("Vary"))
    server_.origins_.add_headers(request, response);
}

// Sends the answer. The connection cannot continue when the body of the request was not read.
Awaitable<bool> Server::Connection::Served::answer(const Parser& parser, const Request& request,
                                                   Response response) {
  explain_to_page(request, response);
  const auto& message = parser.get();
  const bool keep_alive = parser.keep_alive() && parser.is_done() && !stopping_;
  co_return co_await write(std::move(response), {.version = message.version(),
                                                 .keep_alive = keep_alive,
                                                 .only_head = message.method() == beast::http::verb::head});
}

Awaitable<bool> Server::Connection::Served::write(Response response, AnswerFraming framing) {
  response.set("Date", server_.date_.now());  // RFC 9110 §6.6.1
  co_return co_await write_answer(*stream_, deadline_, server_.params_.deadlines.answer, std::move(response),
                                  framing);
}

Awaitable<void> Server::Connection::Served::upgrade(const Parser& parser, const Request& request,
                                                    WebSocketHandler& handler) {
  deadline_.clear();  // a WebSocket has its own deadlines
  web_socket_ = OpenWebSocket::make(std::move(stream_), std::move(buffer_), server_.params_,
                                    handler.max_message(request));
  const std::string& date = server_.date_.now();
  // The result is not awaited inside the condition: GCC 12 would then put a temporary at the beginning of the
  // coroutine's frame, where other code expects the function that resumes it.
  const bool accepted = co_await web_socket_->accept(parser.get(), date);
  if (!accepted) co_return;
  ++server_.counters_.web_sockets;
  // During the handshake, the server may have been stopped, and a reload may have ended the service.
  if (stopping_ || server_.router_.web_socket(request.path) != &handler) {
    web_socket_->close(signaling::kGoingAway,
                       stopping_ ? signaling::kRestarting : signaling::kNoLongerServed);
    UnservedWebSocket unserved;
    co_await web_socket_->read_all(unserved, number_);
    co_return;
  }
  handler.on_open(number_, web_socket_, request);
  co_await web_socket_->read_all(handler, number_);
  server_.counters_.dropped_slow += web_socket_->was_slow() ? 1 : 0;
  server_.counters_.closed_for_cost += web_socket_->cost_too_much() ? 1 : 0;
  server_.counters_.rests += web_socket_->rests();
  if (web_socket_->cost_too_much()) {
    server_.report_refused({"rate-limited", "signaling.bytes_per_second_per_address", request.client});
  }
  if (web_socket_->said_too_much())
    server_.report_refused({"message", "signaling.max_payload", request.client});
  if (web_socket_->was_slow())
    server_.report_refused({"slow-reader", "signaling.max_waiting", request.client});
}

}  // namespace turnpike::http
