#include "turnpikectl/table.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "turnpike/base/printable.hpp"

namespace turnpike::turnpikectl {
namespace {

using Lines = std::vector<std::string>;

std::size_t width_of(const Lines& lines) {
  return columns_of(*std::ranges::max_element(lines, {}, columns_of));
}

TEST_CASE("a table is as wide as its cells on a terminal", "[turnpikectl]") {
  Table table({{.title = "USER"}, {.title = "SENT", .is_number = true}, {.title = "BY"}});
  table.add({"J\u00f6rg", "1", "udp"});
  table.add({"\u738b\u5c0f\u660e", "12345", "udp"});
  table.add({"e\u0301", "", ""});
  CHECK(table.lines() == Lines{"USER     SENT  BY",               //
                               "J\u00f6rg        1  udp",         //
                               "\u738b\u5c0f\u660e  12345  udp",  //
                               "e\u0301"});
}

TEST_CASE("no cell controls the terminal or adds a row", "[turnpikectl]") {
  Table table({{.title = "USER"}, {.title = "BY"}});
  table.add({"\x1b[2J\n\xc2\x9b\x9b\u202e", "udp"});
  CHECK(table.lines() == Lines{"USER                              BY",  //
                               "\\u{1b}[2J\\u{a}\\u{9b}\\x9b\\u{202e}  udp"});
}

TEST_CASE("a table fits: first its texts become narrow, then columns go by their numbers", "[turnpikectl]") {
  Table table({{.title = "ID"},
               {.title = "USER", .widest = 12, .narrowest = 6},
               {.title = "CLIENT", .spare = 1},
               {.title = "SENT", .is_number = true, .spare = 2}});
  table.add({"0-1", "a-name-of-twenty-two-x", "192.0.2.1", "1"});
  table.add({"0-2", "bob", "192.0.2.2", "22"});
  const struct {
    std::size_t room;
    Lines lines;
  } cases[] = {
      {kNoBound,
       {"ID   USER          CLIENT     SENT",       //
        "0-1  a-name-of-t\u2026  192.0.2.1     1",  //
        "0-2  bob           192.0.2.2    22"}},
      {33,
       {"ID   USER         CLIENT     SENT",       //
        "0-1  a-name-of-\u2026  192.0.2.1     1",  //
        "0-2  bob          192.0.2.2    22"}},
      {28,
       {"ID   USER    CLIENT     SENT",       //
        "0-1  a-nam\u2026  192.0.2.1     1",  //
        "0-2  bob     192.0.2.2    22"}},
      {27,
       {"ID   USER         CLIENT",  //
        "0-1  a-name-of-\u2026  192.0.2.1", "0-2  bob          192.0.2.2"}},
      {21, {"ID   USER", "0-1  a-name-of-t\u2026", "0-2  bob"}},
      {12, {"ID   USER", "0-1  a-name\u2026", "0-2  bob"}},
      {1, {"ID   USER", "0-1  a-nam\u2026", "0-2  bob"}},
  };
  for (const auto& each : cases) {
    CAPTURE(each.room);
    CHECK(table.lines(each.room) == each.lines);
  }
  for (std::size_t room = 11; room < 50; ++room) {
    CAPTURE(room);
    CHECK(width_of(table.lines(room)) <= room);
  }
}

}  // namespace
}  // namespace turnpike::turnpikectl
