// Fuzzes a Range header for a representation whose size is in the first eight octets of the input.
#include <string>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "http/byte_range.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
  using namespace turnpike;
  using fuzz::expect;
  using http::ByteRange;
  fuzz::Input input({data, length});
  std::uint64_t size = 0;
  for (int i = 0; i < 4; ++i) size = size << 16 | input.u16();
  const std::string range(as_text(input.rest()));
  const ByteRange choice = http::choose_range(range, size);
  if (choice.kind != ByteRange::Kind::part) {
    expect(choice.start == 0 && choice.size == 0, "there is no part but in a part");
  } else {
    expect(choice.size > 0 && choice.start < size && choice.size <= size - choice.start,
           "a part lies in the whole");
    const std::string itself =
        "bytes=" + std::to_string(choice.start) + '-' + std::to_string(choice.start + choice.size - 1);
    expect(http::choose_range(itself, size) == choice, "a part that is asked for is that part");
  }
  expect(http::choose_range(range + ",0-0", size).kind == ByteRange::Kind::whole,
         "there is one part or none");
  return 0;
}
