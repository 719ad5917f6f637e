#include "http/answer_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "net/asio_types.hpp"

namespace turnpike::http {
namespace {

constexpr std::size_t kFilePart = 64 << 10;

// Returns false when the connection cannot continue.
Awaitable<bool> write_file(Stream& stream, Deadline& deadline, Duration patience, const FileBody& file) {
  const auto part = std::make_unique<std::array<char, kFilePart>>();
  for (std::uint64_t written = 0; written < file.size;) {
    const std::size_t wanted = std::min<std::uint64_t>(part->size(), file.size - written);
    const ssize_t got =
        pread(file.file.get(), part->data(), wanted, static_cast<off_t>(file.start + written));
    if (got <= 0) co_return false;  // the file became shorter meanwhile
    deadline.set(patience);
    const auto octets = boost::asio::buffer(part->data(), static_cast<std::size_t>(got));
    const auto [error, size] = co_await boost::asio::async_write(stream, octets, net::kAsTuple);
    if (error) co_return false;
    written += size;
  }
  co_return true;
}

}  // namespace

Awaitable<bool> write_answer(Stream& stream, Deadline& deadline, Duration patience, Response response,
                             AnswerFraming framing) {
  namespace beast = boost::beast;
  beast::http::response<beast::http::span_body<const char>> message;
  message.result(response.status);
  message.version(framing.version);
  for (const auto& [name, value] : response.headers)
    message.insert(beast::string_view(name.data(), name.size()), value);
  message.set("X-Content-Type-Options", "nosniff");
  message.keep_alive(framing.keep_alive);

  const auto* file = std::get_if<FileBody>(&response.body);
  std::string_view text;
  if (const auto* own = std::get_if<std::string>(&response.body)) text = *own;
  if (const auto* asset = std::get_if<std::string_view>(&response.body)) text = *asset;
  const bool has_content = response.status != 304 && response.status != 204;  // RFC 9110 §6.4.1
  if (has_content) message.content_length(file ? file->size : text.size());
  if (has_content && !framing.only_head) message.body() = {text.data(), text.size()};

  deadline.set(patience);
  const auto [error, size] = co_await beast::http::async_write(stream, message, net::kAsTuple);
  if (error) co_return false;
  if (file && has_content && !framing.only_head && !co_await write_file(stream, deadline, patience, *file))
    co_return false;
  co_return framing.keep_alive;
}

}  // namespace turnpike::http
