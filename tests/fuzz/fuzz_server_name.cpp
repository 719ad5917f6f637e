// Fuzzes the first octets of a client, as a worker sees them: more and more of them. The first octet of the
// input decides how many come at a time, and whether they are TLS or HTTP.
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "net/server_name.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
  using namespace turnpike;
  using fuzz::expect;
  using Kind = net::AskedName::Kind;
  fuzz::Input input({data, length});
  const std::uint8_t choice = input.u8();
  const auto find = (choice & 1) != 0 ? net::find_host : net::find_server_name;
  const std::size_t most = (choice & 1) != 0 ? net::kMaxHostSearch : net::kMaxHelloRecords;
  const Bytes all = input.rest();
  const net::AskedName whole = find(all);
  expect(whole.kind == Kind::named || whole.name.empty(), "only what is named has a name");
  expect(whole.name.size() <= all.size(), "a name comes from the client");
  const std::size_t step = 1 + (choice >> 1) * std::size_t{16};
  for (std::size_t size = 0; size < all.size(); size += step) {
    const net::AskedName asked = find(all.first(size));
    if (asked.kind == Kind::incomplete) {
      expect(asked.needed > size && asked.needed <= most,
             "it waits for more than there is, within the bound");
      continue;
    }
    expect(asked.kind == whole.kind && asked.name == whole.name, "a verdict stands, whatever follows");
  }
  return 0;
}
