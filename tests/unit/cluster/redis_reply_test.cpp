#include "cluster/redis_reply.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace turnpike::cluster {
namespace {

Reply parse(std::string_view octets) {
  ReplyReader reader;
  reader.feed(octets);
  return reader.next();
}

TEST_CASE("replies are the same however their octets are cut", "[cluster]") {
  const std::string octets = "+OK\r\n*2\r\n$3\r\na\r\n\r\n$-1\r\n-ERR no\r\n";
  for (std::size_t cut = 1; cut <= octets.size(); ++cut) {
    CAPTURE(cut);
    ReplyReader reader;
    std::vector<Reply> replies;
    for (std::size_t from = 0; from < octets.size(); from += cut) {
      reader.feed(std::string_view(octets).substr(from, cut));
      while (Reply reply = reader.next()) replies.push_back(std::move(reply));
    }
    REQUIRE(replies.size() == 3);
    CHECK(text_of(replies[0].get()) == "OK");
    REQUIRE(replies[1]->elements == 2);
    CHECK(text_of(replies[1]->element[0]) == "a\r\n");
    CHECK_FALSE(text_of(replies[1]->element[1]));
    CHECK(error_of(*replies[2]) == "ERR no");
    CHECK(reader.fault().empty());
  }
}

TEST_CASE("the arrays of one reply may have only so many elements together, and the next reply as many again",
          "[cluster]") {
  std::string most = "*2\r\n*" + std::to_string(ReplyReader::kMaxElements - 2) + "\r\n";
  for (std::size_t i = 2; i < ReplyReader::kMaxElements; ++i) most += ":1\r\n";
  ReplyReader reader;
  for (int i = 0; i < 2; ++i) {
    reader.feed(most + "*0\r\n");
    CHECK(reader.next());
    CHECK(reader.fault().empty());
  }
  reader.feed(most + "*1\r\n:1\r\n");
  CHECK_FALSE(reader.next());
  CHECK(reader.fault() == "its reply is not a valid one, or has too many parts");
}

TEST_CASE("a reply may be only so long", "[cluster]") {
  const std::string part(1 << 20, 'x');
  ReplyReader reader;
  reader.feed("$1000000000\r\n");
  for (std::size_t octets = 0; octets < ReplyReader::kMaxReply; octets += part.size()) {
    CHECK_FALSE(reader.next());
    REQUIRE(reader.fault().empty());
    reader.feed(part);
  }
  CHECK_FALSE(reader.next());
  CHECK(reader.fault() == "its reply is too long");
}

TEST_CASE("an error tells whether the server can be used at all", "[cluster]") {
  const auto why = [](const std::string& error) {
    return find_wrong_server(*parse("-" + error + "\r\n")).value_or("");
  };
  CHECK(why("READONLY You can't write against a read only replica.") ==
        "READONLY You can't write against a read only replica.");
  CHECK(why("BUSY Redis is busy running a script.") == "BUSY Redis is busy running a script.");
  CHECK(why("MOVED 1 192.0.2.1:6379") ==
        "MOVED 1 192.0.2.1:6379: it is a part of a Redis Cluster, which cannot be used here");
  CHECK(why("BUSYGROUP Consumer Group name already exists") == "");
  CHECK(why("OOM command not allowed") == "");
}

TEST_CASE("a transaction is done when each of its commands has succeeded", "[cluster]") {
  CHECK(is_done(parse("*2\r\n:1\r\n+OK\r\n").get()));
  CHECK(is_done(parse("*0\r\n").get()));
  CHECK_FALSE(is_done(parse("*2\r\n:1\r\n-WRONGTYPE of another kind\r\n").get()));
  CHECK_FALSE(is_done(parse("-EXECABORT discarded\r\n").get()));
  CHECK_FALSE(is_done(parse("$-1\r\n").get()));
  CHECK_FALSE(is_done(nullptr));
}

}  // namespace
}  // namespace turnpike::cluster
