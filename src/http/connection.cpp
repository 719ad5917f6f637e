#include "http/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/file_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>

#include "http/deadline.hpp"
#include "http/open_web_socket.hpp"
#include "http/stream.hpp"
#include "http/to_https.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

using Error = boost::system::error_code;
using Parser = beast::http::request_parser<beast::http::string_body>;

constexpr auto kToken = asio::experimental::as_tuple(asio::use_awaitable_t<Executor>());
constexpr std::size_t kLargestHeader = 16 << 10;
constexpr std::uint32_t kMostRefusals = 100;  // that are answered at one time

// What somebody gets who has too many connections already. Nothing of the request is read before.
constexpr std::string_view kTooMany =
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    "Content-Length: 56\r\n\r\n429 Too Many Requests: too many connections from here\r\n\r\n";

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

// Whether the other side has closed, whatever it has sent before.
bool has_ended(TcpSocket& socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_state != TCP_ESTABLISHED;
}

Awaitable<void> refuse(TcpSocket socket) {
  const auto [error, sent] = co_await asio::async_write(socket, asio::buffer(kTooMany), kToken);
  if (!error) co_await see_off(socket);
}

}  // namespace

class Server::Connection::Served final : public Connection {
 public:
  Served(Server& server, TcpSocket socket, Arrival arrival)
      : server_(server),
        number_(++server.last_number_),
        peer_(arrival.peer),
        to_https_(arrival.to_https),
        has_shaken_hands_(arrival.tls != nullptr),
        stream_(std::make_unique<Stream>(std::move(socket), session_for(server, arrival))),
        deadline_(stream_->next_layer()) {
    ++server_.counters_.connections;
    server_.connections_.emplace(number_, this);
    const auto early = asio::buffer(arrival.received);
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
  Awaitable<bool> answer_broken(Error error);
  Awaitable<bool> answer(const Parser& parser, const Request& request, Response response);
  template <class Message>
  Awaitable<bool> write(Message message, const Parser& parser);
  Awaitable<void> upgrade(const Parser& parser, const Request& request, WebSocketHandler& handler);
  void watch(std::function<void()> gone);
  bool describe(const Parser& parser, Request& request) const;
  static net::TlsSession session_for(Server& server, Arrival& arrival);

  Server& server_;
  std::uint64_t number_;
  IpAddress peer_;
  bool to_https_;
  bool has_shaken_hands_;
  std::unique_ptr<Stream> stream_;  // null once a WebSocket has taken it over
  Deadline deadline_;
  beast::flat_buffer buffer_;
  std::shared_ptr<OpenWebSocket> web_socket_;
  std::shared_ptr<std::function<void()>> watched_;  // whom to tell when the client goes away
  bool stopping_ = false;
};

namespace {

// The place that a source takes up, given back however the connection ends.
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

// A trusted proxy speaks for many, so its connections are not counted as one address's.
Awaitable<void> Server::Connection::serve(Server& server, Socket socket, Arrival arrival) {
  const IpAddress peer = arrival.peer;
  const bool proxy = server.proxies_.is_trusted(peer);
  if (!proxy && !server.admit(peer)) {
    if (arrival.secure || server.being_refused_ >= kMostRefusals) co_return;
    ++server.being_refused_;
    const Place refusing([&] { --server.being_refused_; });
    co_await refuse(std::move(socket));
    co_return;
  }
  const Place place([&] {
    if (!proxy) server.connections_from_.give_back(peer);
  });
  Served connection(server, std::move(socket), std::move(arrival));
  co_await connection.run();
}

Awaitable<void> Server::Connection::Served::run() {
  if (stream_->secure() && !has_shaken_hands_) {
    deadline_.set(server_.params_.deadlines.handshake);
    const auto [error] = co_await stream_->async_handshake(kToken);
    if (error) co_return;
  }
  while (!stopping_ && co_await serve_request()) {
  }
  if (!stream_ || stopping_) co_return;
  co_await see_off(stream_->next_layer());
}

void Server::Connection::Served::stop() {
  stopping_ = true;
  if (web_socket_) {
    web_socket_->close(static_cast<std::uint16_t>(beast::websocket::close_code::going_away), "restarting");
  } else {
    abort();
  }
}

void Server::Connection::Served::abort() {
  stopping_ = true;
  if (web_socket_) return web_socket_->abort();
  Error ignored;
  stream_->next_layer().close(ignored);
}

// Between two requests a connection may rest for a while.
Awaitable<bool> Server::Connection::Served::wait_for_request() {
  if (buffer_.size() > 0) co_return true;
  deadline_.set(server_.params_.deadlines.idle);
  const auto [error, size] = co_await stream_->async_read_some(buffer_.prepare(1024), kToken);
  buffer_.commit(size);
  co_return !error;
}

// False when it was the last one.
Awaitable<bool> Server::Connection::Served::serve_request() {
  if (!co_await wait_for_request()) co_return false;
  Parser parser;
  parser.header_limit(kLargestHeader);
  parser.body_limit(server_.params_.limits.message_bytes);
  deadline_.set(server_.params_.deadlines.headers);
  auto [error, size] = co_await beast::http::async_read_header(*stream_, buffer_, parser, kToken);
  if (!error && !parser.is_done()) {
    deadline_.set(server_.params_.deadlines.body);
    std::tie(error, size) = co_await beast::http::async_read(*stream_, buffer_, parser, kToken);
  }
  if (error) co_return co_await answer_broken(error);
  ++server_.counters_.requests;

  Request request;
  if (!describe(parser, request)) {
    co_return co_await answer(parser, request, error_response(400, "this is no path"));
  }
  if (to_https_) co_return co_await answer(parser, request, to_https(request));
  if (beast::websocket::is_upgrade(parser.get())) {
    WebSocketHandler* handler = server_.router_.web_socket(request.path);
    if (!handler) co_return co_await answer(parser, request, error_response(404, "no WebSocket is here"));
    if (!server_.origins_.allow(request)) {
      co_return co_await answer(parser, request, error_response(403, "this origin is not allowed here"));
    }
    if (std::optional<Response> refusal = handler->check(request)) {
      co_return co_await answer(parser, request, std::move(*refusal));
    }
    co_await upgrade(parser, request, *handler);
    co_return false;
  }
  if (request.method == "OPTIONS") {
    co_return co_await answer(parser, request, server_.origins_.preflight(request));
  }
  request.watch = [this](std::function<void()> gone) { watch(std::move(gone)); };
  Response response = co_await server_.router_.handle(request);
  watched_.reset();
  co_return co_await answer(parser, request, std::move(response));
}

net::TlsSession Server::Connection::Served::session_for(Server& server, Arrival& arrival) {
  if (arrival.tls || !arrival.secure) return std::move(arrival.tls);
  return server.tls_->get()->new_session(net::TlsUse::http);
}

// The client is told what was wrong where it can still be told, and the connection ends.
Awaitable<bool> Server::Connection::Served::answer_broken(Error error) {
  const bool is_http = error.category() == make_error_code(beast::http::error::end_of_stream).category();
  const bool cut_off =
      error == beast::http::error::end_of_stream || error == beast::http::error::partial_message;
  if (!deadline_.expired() && (cut_off || !is_http)) co_return false;  // nobody is there to be told
  unsigned status = 400;
  if (deadline_.expired()) {
    status = 408;
  } else if (error == beast::http::error::header_limit) {
    status = 431;
  } else if (error == beast::http::error::body_limit) {
    status = 413;
  }
  const Response response = error_response(status, error == beast::http::error::body_limit ? "too much" : "");
  beast::http::response<beast::http::string_body> message;
  message.result(status);
  for (const auto& [name, value] : response.headers)
    message.set(beast::string_view(name.data(), name.size()), value);
  message.body() = std::get<std::string>(response.body);
  message.keep_alive(false);
  message.prepare_payload();
  deadline_.set(server_.params_.deadlines.answer);
  co_await beast::http::async_write(*stream_, message, kToken);
  co_return false;
}

// Where the request is from, by the chain of proxies that are trusted.
bool Server::Connection::Served::describe(const Parser& parser, Request& request) const {
  const auto& message = parser.get();
  request.method = view(message.method_string());
  request.body = message.body();
  request.secure = stream_->secure();
  for (const auto& field : message)
    request.headers.emplace_back(view(field.name_string()), view(field.value()));
  request.client = server_.proxies_.client(peer_, request.header("x-forwarded-for"));
  const bool forwarded = server_.proxies_.is_trusted(peer_) || !request.header("x-forwarded-for").empty() ||
                         !request.header("forwarded").empty() || !request.header("via").empty();
  const std::string_view host = host_without_port(request.header("host"));
  if (!forwarded && is_host(host)) request.host = host;
  return parse_target(view(message.target()), request);
}

void Server::Connection::Served::watch(std::function<void()> gone) {
  deadline_.clear();
  watched_ = std::make_shared<std::function<void()>>(std::move(gone));
  // Nothing is to be read while a request waits but the end. What a client sends ahead is left until later.
  stream_->next_layer().async_wait(TcpSocket::wait_read,
                                   [this, weak = std::weak_ptr(watched_)](const Error& error) {
                                     const auto watched = weak.lock();
                                     if (!watched || (!error && !has_ended(stream_->next_layer()))) return;
                                     (*std::exchange(watched_, nullptr))();
                                   });
}

template <class Message>
Awaitable<bool> Server::Connection::Served::write(Message message, const Parser& parser) {
  message.version(parser.get().version());
  message.keep_alive(parser.keep_alive() && !stopping_);
  deadline_.set(server_.params_.deadlines.answer);
  const auto [error, size] = co_await beast::http::async_write(*stream_, message, kToken);
  co_return !error && message.keep_alive();
}

Awaitable<bool> Server::Connection::Served::answer(const Parser& parser, const Request& request,
                                                   Response response) {
  beast::http::response_header<> header;
  header.result(response.status);
  for (const auto& [name, value] : response.headers)
    header.insert(beast::string_view(name.data(), name.size()), value);
  header.set("X-Content-Type-Options", "nosniff");

  if (auto* file = std::get_if<FileBody>(&response.body)) {
    beast::http::file_body::value_type body;
    beast::file handle;
    handle.native_handle(file->file.release());
    Error error;
    body.reset(std::move(handle), error);
    if (request.method == "HEAD") {
      beast::http::response<beast::http::empty_body> message(std::move(header));
      message.content_length(file->size);
      co_return co_await write(std::move(message), parser);
    }
    beast::http::response<beast::http::file_body> message(std::move(header), std::move(body));
    message.prepare_payload();
    co_return co_await write(std::move(message), parser);
  }
  std::string body = std::holds_alternative<std::string>(response.body)
                         ? std::move(std::get<std::string>(response.body))
                         : std::string(std::get<std::string_view>(response.body));
  if (request.method == "HEAD" || response.status == 304 || response.status == 204) {
    beast::http::response<beast::http::empty_body> message(std::move(header));
    if (request.method == "HEAD") message.content_length(body.size());
    co_return co_await write(std::move(message), parser);
  }
  beast::http::response<beast::http::string_body> message(std::move(header), std::move(body));
  message.prepare_payload();
  co_return co_await write(std::move(message), parser);
}

Awaitable<void> Server::Connection::Served::upgrade(const Parser& parser, const Request& request,
                                                    WebSocketHandler& handler) {
  deadline_.clear();  // a WebSocket has its own
  web_socket_ = OpenWebSocket::make(std::move(stream_), server_.params_);
  if (!co_await web_socket_->accept(parser.get())) co_return;
  ++server_.counters_.web_sockets;
  handler.on_open(number_, web_socket_, request);
  const bool goodbye = co_await web_socket_->read_all(handler, number_, std::move(buffer_));
  server_.counters_.dropped_slow += web_socket_->was_slow() ? 1 : 0;
  handler.on_closed(number_, goodbye);
}

}  // namespace turnpike::http
