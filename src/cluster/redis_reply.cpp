#include "cluster/redis_reply.hpp"

#include <algorithm>
#include <initializer_list>
#include <new>

#include "turnpike/base/printable.hpp"

namespace turnpike::cluster {
namespace {

constexpr std::size_t kMaxError = 200;  // octets of an error reply that are logged

}  // namespace

ReplyReader::ReplyReader() : reader_(redisReaderCreate()) {
  if (!reader_) throw std::bad_alloc();
  hiredis_ = reader_->fn;
  bounded_ = *hiredis_;
  // hiredis allocates as many elements as the arrays of a reply announce, so this limits their number. Its
  // versions have different types for it.
  bounded_.createArray = [](const redisReadTask* task, auto elements) -> void* {
    ReplyReader& self = *static_cast<ReplyReader*>(task->privdata);
    const auto more = static_cast<std::size_t>(elements);
    if (more > kMaxElements - self.announced_) return nullptr;
    self.announced_ += more;
    return self.hiredis_->createArray(task, elements);
  };
  reader_->fn = &bounded_;
  reader_->privdata = this;
}

void ReplyReader::feed(std::string_view octets) {
  redisReaderFeed(reader_.get(), octets.data(), octets.size());
  unfinished_ += octets.size();
}

Reply ReplyReader::next() {
  void* parsed = nullptr;
  if (redisReaderGetReply(reader_.get(), &parsed) != REDIS_OK) {
    fault_ = "its reply is not a valid one, or has too many parts";
  } else if (parsed) {
    unfinished_ = announced_ = 0;
  } else if (unfinished_ > kMaxReply) {
    fault_ = "its reply is too long";
  }
  return Reply(static_cast<redisReply*>(parsed));
}

bool is_done(const redisReply* reply) {
  return reply && reply->type == REDIS_REPLY_ARRAY && !find_error(*reply);
}

bool is_wrong_type(const redisReply* reply) {
  return reply && is_error(*reply) && error_of(*reply).starts_with("WRONGTYPE");
}

bool is_message(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ARRAY && reply.elements == 3 && text_of(reply.element[0]) == "message";
}

bool is_error(const redisReply& reply) { return reply.type == REDIS_REPLY_ERROR; }

std::optional<std::string_view> text_of(const redisReply* reply) {
  if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS)) return std::nullopt;
  return std::string_view(reply->str, static_cast<std::size_t>(reply->len));
}

std::string error_of(const redisReply& reply) {
  return printable(std::string_view(reply.str, static_cast<std::size_t>(reply.len)).substr(0, kMaxError));
}

const redisReply* find_error(const redisReply& reply) {
  if (is_error(reply)) return &reply;
  for (std::size_t i = 0; i < reply.elements; ++i) {
    if (is_error(*reply.element[i])) return reply.element[i];
  }
  return nullptr;
}

std::optional<std::string> find_wrong_server(const redisReply& error) {
  const std::string text = error_of(error);
  const auto begins_with_one_of = [&text](std::initializer_list<std::string_view> words) {
    return std::ranges::any_of(words, [&text](std::string_view word) { return text.starts_with(word); });
  };
  // It is not the primary any more, or not yet, or it has lost the primary.
  if (begins_with_one_of({"READONLY", "MASTERDOWN"})) return text;
  // Somebody's script takes too long, or it loads its data. A new connection could not be used either.
  if (begins_with_one_of({"BUSY ", "LOADING "})) return text;
  if (begins_with_one_of({"MOVED ", "ASK ", "CROSSSLOT ", "CLUSTERDOWN "}))
    return text + ": it is a part of a Redis Cluster, which cannot be used here";
  return std::nullopt;
}

}  // namespace turnpike::cluster
