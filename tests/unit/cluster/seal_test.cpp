#include "cluster/seal.hpp"

#include <catch2/catch.hpp>
#include <iomanip>
#include <sstream>

namespace turnpike::cluster {
namespace {

std::string hex(Bytes bytes) {
  std::ostringstream text;
  for (const std::uint8_t byte : bytes) text << std::hex << std::setfill('0') << std::setw(2) << int{byte};
  return text.str();
}

// The expected keys were made with `openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:… -kdfopt info:…
// HKDF`.
TEST_CASE("keys follow from the secret as RFC 5869 says", "[cluster]") {
  CHECK(hex(derive_key("a secret of 16 characters", "turnpike nonces")) ==
        "f4a6e1874e4138bbd29680d05444a72ad46d5bc7938002be21d960fffb43f915");
  CHECK(derive_key("a secret of 16 characters", "one") != derive_key("a secret of 16 characters", "two"));
  CHECK(derive_key("one secret of them all", "one") != derive_key("two secrets of them all", "one"));
}

TEST_CASE("a sealed text can be opened at its place, with the secret", "[cluster]") {
  Seal ours({"our secret, which is long"});
  Seal another_node({"our secret, which is long"});
  const std::string sealed = ours.seal("turnpike:rooms", "hello");
  CHECK(another_node.open("turnpike:rooms", sealed) == "hello");
  CHECK(another_node.open("turnpike:rooms", ours.seal("turnpike:rooms", "")) == "");
}

TEST_CASE("a text that was sealed elsewhere, by others, or was changed, cannot be opened", "[cluster]") {
  Seal ours({"our secret, which is long"});
  Seal theirs({"their secret, which is longer"});
  const std::string sealed = ours.seal("turnpike:rooms", "hello");
  CHECK_FALSE(ours.open("turnpike:rooms:a", sealed));
  CHECK_FALSE(theirs.open("turnpike:rooms", sealed));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    CAPTURE(i);
    CHECK_FALSE(ours.open("turnpike:rooms", changed));
    CHECK_FALSE(ours.open("turnpike:rooms", std::string_view(sealed).substr(0, i)));
  }
}

TEST_CASE("while a secret is changed, nodes with the old and the new one understand each other",
          "[cluster]") {
  Seal before({"the old secret of all nodes"});
  Seal meanwhile({"the new secret of all nodes", "the old secret of all nodes"});
  Seal after({"the new secret of all nodes"});
  CHECK(meanwhile.open("k", before.seal("k", "a")) == "a");
  CHECK(after.open("k", meanwhile.seal("k", "b")) == "b");
  CHECK_FALSE(before.open("k", after.seal("k", "c")));
}

}  // namespace
}  // namespace turnpike::cluster
