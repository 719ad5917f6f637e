#include <array>
#include <utility>

#include "config/fields.hpp"
#include "config/read.hpp"
#include "config/sources.hpp"
#include "config/text.hpp"
#include "net/regular_file.hpp"
#include "net/tls_context.hpp"

namespace turnpike::config {

namespace {

// This only checks whether the file can be read. It is read when it is used.
void read_pem_file(const Value& value, std::string path, net::PemSource& out) {
  // The value may be the key itself, so the error does not show it.
  if (is_pem_text(path) || path.find('\n') != std::string::npos) {
    return value.problem(
        "expected the name of a PEM file, or {file: PATH} or {env: NAME}, and not what is in it");
  }
  if (const auto problem = expand_credentials(path)) return value.problem(*problem);
  if (const auto problem = net::find_file_problem(path))
    return value.problem("file " + shown(path) + ' ' + problem->text);
  out = {path, net::PemSource::Kind::file};
}

}  // namespace

void read_pem_source(const Value& value, net::PemSource& out) {
  constexpr std::string_view kExpected = "a file that can be read, or {env: NAME}";
  if (value.is_scalar()) return read_pem_file(value, value.text(), out);
  if (!value.is_map()) return value.expected(kExpected);
  const auto entries = value.entries();
  if (entries.size() != 1 || !entries.front().second.is_scalar()) return value.expected(kExpected);
  const auto& [kind, name] = entries.front();
  if (kind == "file") {
    read_pem_file(value, name.text(), out);
  } else if (kind != "env") {
    value.expected(kExpected);
  } else if (const auto problem = find_variable_problem(name.text())) {
    value.problem(*problem);
  } else {
    out = {name.text(), net::PemSource::Kind::variable};
  }
}

void read_certificates(const Value& value, std::vector<net::CertificateSources>& out) {
  read_list(value, "a list of maps with certificate and private_key", [&](const Value& item) {
    net::CertificateSources& sources = out.emplace_back();  // for each item, since faults name its number
    if (!item.is_map()) return item.expected("a map with certificate and private_key");
    std::size_t known = 0;
    const auto read_into = [&](net::PemSource& source) {
      return [&](const Value& entry) {
        read_pem_source(entry, source);
        ++known;
      };
    };
    read_map(item, {{"certificate", read_into(sources.certificate)},
                    {"private_key", read_into(sources.private_key)}});
    if (known < 2) item.expected("certificate and private_key");
  });
}

void read_min_version(const Value& value, bool& only_tls_1_3) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> kVersions{{{"1.2", false}, {"1.3", true}}};
  read_choice(value, kVersions, only_tls_1_3);
}

// Whether the ciphers suit the certificates is checked when the certificates are loaded.
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
  const bool has_certificate = has_key(section, "certificate");
  if (has_certificate == has_key(section, "private_key")) return;
  section.problem(has_certificate ? "certificate needs private_key" : "private_key needs certificate");
}

}  // namespace turnpike::config
