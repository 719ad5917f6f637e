#include "turnpikectl/connection.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <sstream>

namespace turnpike::turnpikectl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Socket = asio::basic_stream_socket<asio::local::stream_protocol, asio::io_context::executor_type>;
using Error = boost::system::error_code;

constexpr std::chrono::seconds kPatience{10};
constexpr std::uint64_t kMaxAnswer = 256 << 20;  // octets; enough for a list of very many allocations

// Describes why there is no answer, and what the operator can do about it.
std::string describe(const Error& failure, const std::string& socket) {
  if (failure == asio::error::timed_out) {
    return "turnpike at " + socket + " has not answered within " + std::to_string(kPatience.count()) +
           " seconds: it hangs, or is very busy and may still do it";
  }
  std::string text = "cannot reach turnpike at " + socket + ": " + failure.message();
  if (failure == boost::system::errc::no_such_file_or_directory) {
    return text + ": it does not run, or `admin.listen` does not name this socket (see --socket)";
  }
  if (failure == boost::system::errc::connection_refused) return text + ": it does not run any more";
  if (failure == boost::system::errc::permission_denied) {
    return text + ": root and the group of turnpike may open it";
  }
  return text;
}

}  // namespace

std::string Answer::error() const {
  const auto* object = body.if_object();
  const auto* error = object ? object->if_contains("error") : nullptr;
  const auto* message = error && error->is_object() ? error->get_object().if_contains("message") : nullptr;
  return message && message->is_string() ? std::string(message->get_string())
                                         : "the daemon answered with HTTP status " + std::to_string(status);
}

Answer Connection::call(std::string_view method, std::string_view target,
                        const boost::json::value& body) const {
  asio::io_context io;
  Socket socket(io);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);

  http::request<http::empty_body> request;
  request.method_string(beast::string_view(method.data(), method.size()));
  request.target(beast::string_view(target.data(), target.size()));
  request.version(11);
  request.set(http::field::host, "localhost");
  const std::string content = body.is_null() ? "" : boost::json::serialize(body);
  if (!body.is_null()) request.content_length(content.size());
  std::ostringstream octets;
  octets << request.base() << content;

  // One deadline for the whole exchange. Only asynchronous calls can have a deadline.
  Error failure = asio::error::timed_out;  // until a step has ended
  socket.async_connect(asio::local::stream_protocol::endpoint(socket_), [&](Error connecting) {
    if (connecting) return void(failure = connecting);
    asio::async_write(socket, asio::buffer(octets.view()), [&](Error writing, std::size_t) {
      if (writing) return void(failure = writing);
      http::async_read(socket, buffer, parser, [&](Error reading, std::size_t) { failure = reading; });
    });
  });
  io.run_for(kPatience);
  if (failure) throw Unreachable(describe(failure, socket_));

  Answer answer{parser.get().result_int(), {}};
  Error broken;
  answer.body = boost::json::parse(parser.get().body(), broken);
  if (broken && answer.ok()) throw Unreachable("what answers at " + socket_ + " is not turnpike");
  return answer;
}

}  // namespace turnpike::turnpikectl
