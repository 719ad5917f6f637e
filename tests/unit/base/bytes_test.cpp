#include "turnpike/base/bytes.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "support/rfc_vectors.hpp"
#include "unit/guarded_buffer.hpp"

namespace turnpike {
namespace {

using test::operator""_hex;
using test::to_hex;

TEST_CASE("text and octets view the same memory", "[base]") {
  const std::string text = "a\0b\xff";
  CHECK(as_bytes(text).data() == reinterpret_cast<const std::uint8_t*>(text.data()));
  CHECK(as_text(as_bytes(text)) == text);
  CHECK(as_bytes("").empty());
  CHECK(as_text({}).empty());
}

TEST_CASE("loads and stores are big-endian at any alignment", "[base]") {
  for (std::size_t at = 0; at < 4; ++at) {
    CAPTURE(at);
    std::array<std::uint8_t, 8> memory{};
    store_u16(&memory[at], 0x80F1);
    CHECK(to_hex(Bytes(memory).subspan(at, 2)) == "80f1");
    CHECK(load_u16(&memory[at]) == 0x80F1);
    store_u32(&memory[at], 0xFEDCBA98);
    CHECK(to_hex(Bytes(memory).subspan(at, 4)) == "fedcba98");
    CHECK(load_u32(&memory[at]) == 0xFEDCBA98);
  }
}

TEST_CASE("a reader goes from front to back", "[base]") {
  ByteReader reader("01 0203 04050607 0809 0a"_hex);
  CHECK(reader.u8() == 0x01);
  CHECK(reader.u16() == 0x0203);
  CHECK(reader.u32() == 0x04050607);
  CHECK(to_hex(reader.take(2)) == "0809");
  CHECK(to_hex(reader.rest()) == "0a");
  CHECK_FALSE(reader.at_end());
  CHECK(reader.u8() == 0x0a);
  CHECK(reader.at_end());
  CHECK(reader.take(0).empty());
  CHECK(reader.ok());
}

TEST_CASE("a read past the end fails for good and yields zeros", "[base]") {
  struct Case {
    const char* what;
    std::size_t needed;
    std::uint32_t (*read)(ByteReader&);
  };
  const Case cases[] = {
      {"u8", 1, [](ByteReader& r) { return std::uint32_t{r.u8()}; }},
      {"u16", 2, [](ByteReader& r) { return std::uint32_t{r.u16()}; }},
      {"u32", 4, [](ByteReader& r) { return r.u32(); }},
      {"take", 5, [](ByteReader& r) { return static_cast<std::uint32_t>(r.take(5).size()); }},
      {"take what no buffer holds", SIZE_MAX,
       [](ByteReader& r) { return static_cast<std::uint32_t>(r.take(SIZE_MAX).size()); }},
  };
  for (const Case& c : cases) {
    for (std::size_t size = 0; size < std::min<std::size_t>(c.needed, 8); ++size) {
      INFO(c.what << " of " << size << " bytes");
      ByteReader reader("ffffffffffffffff"_hex.first(size));
      CHECK(c.read(reader) == 0);
      CHECK_FALSE(reader.ok());
      CHECK(reader.at_end());
      CHECK(reader.u8() == 0);
      CHECK(reader.take(0).empty());
      CHECK_FALSE(reader.ok());
    }
  }
}

void write_everything(ByteWriter& writer) {
  writer.u8(0x01);
  writer.u16(0x0203);
  writer.u32(0x04050607);
  writer.bytes("0809"_hex);
  writer.bytes({});
  writer.bytes("000000"_hex);
  if (const MutableBytes claimed = writer.claim(1); !claimed.empty()) claimed[0] = 0x0a;
}

TEST_CASE("a writer fills its buffer from front to back", "[base]") {
  test::GuardedBuffer buffer(20);
  ByteWriter writer(buffer.bytes());
  write_everything(writer);
  CHECK(writer.ok());
  CHECK(writer.size() == 13);
  CHECK(to_hex(writer.written()) ==
        "010203040506070809"
        "0000000a");
  CHECK(writer.buffer().size() == 20);
  CHECK(buffer.bytes()[13] == test::GuardedBuffer::kDirt);
}

TEST_CASE("a writer can be told to fail", "[base]") {
  test::GuardedBuffer buffer(4);
  ByteWriter writer(buffer.bytes());
  writer.u8(1);
  writer.fail();
  writer.u8(2);
  CHECK_FALSE(writer.ok());
  CHECK(to_hex(writer.written()) == "01");
}

TEST_CASE("a writer never leaves its buffer, and fails for good", "[base]") {
  for (std::size_t size = 0; size < 13; ++size) {
    CAPTURE(size);
    test::GuardedBuffer buffer(size);
    ByteWriter writer(buffer.bytes());
    write_everything(writer);
    CHECK_FALSE(writer.ok());
    CHECK(writer.size() <= size);
    CHECK(buffer.walls_stand());

    const std::size_t before = writer.size();
    writer.u8(0);
    CHECK(writer.claim(SIZE_MAX).empty());
    CHECK(writer.claim(0).empty());
    CHECK_FALSE(writer.ok());
    CHECK(writer.size() == before);
  }
}

}  // namespace
}  // namespace turnpike
