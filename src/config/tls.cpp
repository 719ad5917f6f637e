#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "config/fields.hpp"
#include "config/read.hpp"
#include "net/tls_context.hpp"

namespace turnpike::config {

void read_file_name(const Value& value, std::string& out) {
  if (!value.is_scalar() || access(value.text().c_str(), R_OK) != 0 ||
      std::filesystem::is_directory(value.text())) {
    return value.expected("a file that can be read");
  }
  out = value.text();
}

void read_certificates(const Value& value, std::vector<net::CertificateFiles>& out) {
  read_list(value, "a list of maps with certificate and private_key", [&](const Value& item) {
    if (!item.is_map()) return item.expected("a map with certificate and private_key");
    net::CertificateFiles files;
    std::size_t known = 0;
    const auto read_into = [&](std::string& file) {
      return [&](const Value& entry) {
        read_file_name(entry, file);
        ++known;
      };
    };
    read_map(item,
             {{"certificate", read_into(files.certificate)}, {"private_key", read_into(files.private_key)}});
    if (known < 2) item.expected("certificate and private_key");
    out.push_back(std::move(files));
  });
}

void read_min_version(const Value& value, bool& only_tls_1_3) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> kVersions{{{"1.2", false}, {"1.3", true}}};
  read_choice(value, kVersions, only_tls_1_3);
}

// Whether they suit the certificates is checked when those are loaded.
void read_ciphers(const Value& value, std::string& out) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+!@=:";
  if (!value.is_scalar() || value.text().empty() ||
      value.text().find_first_not_of(kAllowed) != std::string::npos) {
    return value.expected(
        "OpenSSL's names with colons between them, such as ECDHE+AESGCM:TLS_AES_128_GCM_SHA256");
  }
  if (auto fault = net::find_cipher_fault(value.text())) return value.problem(std::move(*fault));
  out = value.text();
}

void check_tls(const Value& section) {
  const auto entries = section.entries();
  const auto has = [&](std::string_view key) {
    return std::ranges::any_of(entries, [&](const auto& entry) { return entry.first == key; });
  };
  if (has("certificate") == has("private_key")) return;
  section.problem(has("certificate") ? "certificate needs private_key" : "private_key needs certificate");
}

}  // namespace turnpike::config
