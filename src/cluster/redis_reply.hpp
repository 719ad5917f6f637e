// What a Redis server answers: the parser of its octets, and what can be asked about one reply. hiredis
// parses the replies. A Reply owns one, and frees it.
#pragma once

#include <hiredis/hiredis.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::cluster {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

// Makes replies of the octets of one connection. The size of a reply is limited.
class ReplyReader {
 public:
  static constexpr std::size_t kMaxReply = 64 << 20;    // octets of one reply
  static constexpr std::size_t kMaxElements = 1 << 18;  // of all arrays in one reply

  // Throws std::bad_alloc.
  ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(std::string_view octets);
  // Returns the next reply. Returns null when its rest has not come yet, or when there is a fault.
  Reply next();
  // Why no more replies can be read; empty while they can.
  std::string_view fault() const { return fault_; }

 private:
  struct FreeReader {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
  };

  const redisReplyObjectFunctions* hiredis_ = nullptr;  // how hiredis makes the parts of a reply
  redisReplyObjectFunctions bounded_{};                 // the same, with our bound
  // Uses bounded_ until it is freed.
  std::unique_ptr<redisReader, FreeReader> reader_;
  std::size_t announced_ = 0;   // elements of the reply that is being read
  std::size_t unfinished_ = 0;  // octets of the reply that is being read
  std::string_view fault_;
};

// Whether a transaction was carried out, and each of its commands succeeded.
bool is_done(const redisReply* reply);

// Whether Redis has refused a command because the value at its key is of another type, since somebody else
// has written it.
bool is_wrong_type(const redisReply* reply);

// Whether this may be a message of a subscription: an array of three, of which the first is "message".
bool is_message(const redisReply& reply);

bool is_error(const redisReply& reply);

// The text of a status or of a bulk string; nothing for another reply.
std::optional<std::string_view> text_of(const redisReply* reply);

// The text of an error for a log. It is made printable and is cut off, since another program chose it.
std::string error_of(const redisReply& reply);

// Returns the reply itself if it is an error, otherwise the first error in it, or null.
const redisReply* find_error(const redisReply& reply);

// Returns why no command about our keys can be given to this server, as its error says; nothing when the
// error is about the command itself.
std::optional<std::string> find_wrong_server(const redisReply& error);

}  // namespace turnpike::cluster
