#!/usr/bin/env bash
# install_test.sh BUILD_DIR: `cmake --install` puts every file where Debian expects it, with the right mode, what it
# installed works from there, and a second time leaves the operator's configuration alone. The target `installed`, which
# README.md and tools/package build before they install, makes all that is taken from the build.
set -euo pipefail

build=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

fail() {
  printf 'install_test: %s\n' "$*" >&2
  exit 1
}

install_into() {
  DESTDIR=$1 cmake --install "$build" --prefix "$2" >"$stage/log" 2>&1 || fail "cmake --install: $(cat "$stage/log")"
}

# expect MODE PATH
expect() {
  [[ -e $stage/root$2 ]] || fail "$2 is missing; installed: $(cd "$stage/root" && find . -type f)"
  local mode
  mode=$(stat -c %a "$stage/root$2")
  [[ $mode == "$1" ]] || fail "$2 has mode $mode, not $1"
}

install_into "$stage/root" /usr
for program in turnpike turnpikectl stunclient turnbench; do
  expect 755 "/usr/bin/$program"
  installed=$(readelf --sections --wide "$stage/root/usr/bin/$program")
  built=$(readelf --sections --wide "$build/$program")
  [[ $installed == *" .symtab "* || $installed == *" .debug_"* ]] && fail "/usr/bin/$program is not stripped"
  [[ $built == *" .symtab "* ]] || fail "the build folder lost the symbols of $program"
done
expect 640 /etc/turnpike/turnpike.yaml
expect 644 /usr/lib/systemd/system/turnpike.service
expect 644 /usr/lib/sysusers.d/turnpike.conf
expect 644 /usr/lib/tmpfiles.d/turnpike.conf
expect 644 /usr/lib/sysctl.d/10-turnpike.conf
expect 644 /usr/share/doc/turnpike/README.md
expect 644 /usr/share/doc/turnpike/turnpike.yaml
expect 644 /usr/share/doc/turnpike/prometheus-rules.yml
expect 644 /usr/share/doc/turnpike/grafana-dashboard.json
expect 644 /usr/share/doc/turnpike/fail2ban/turnpike.conf
expect 644 /usr/share/doc/turnpike/fail2ban/jail.conf
expect 755 /usr/share/doc/turnpike/examples/certbot-deploy-hook
expect 644 /usr/share/doc/turnpike/examples/credentials.conf
expect 644 /usr/share/bash-completion/completions/turnpikectl
for page in man8/turnpike.8 man1/turnpikectl.1 man1/stunclient.1 man1/turnbench.1 man5/turnpike.yaml.5; do
  expect 644 "/usr/share/man/$page.gz"
done
others=$(cd "$stage/root" && find . -type f | grep -v -e '^./usr/bin/' -e '^./usr/share/man/' -e turnpike) && fail "also installed: $others"

made=$(ninja -C "$build" -t inputs installed) || fail "the build has no target installed"
# Of the manual pages, ninja names the script that makes them.
for input in turnpike turnpikectl stunclient turnbench "$root/tools/dev/make_man_pages.py"; do
  grep -qxF "$input" <<<"$made" || fail "the target installed does not need $input"
done
grep -q '^    cmake --build --preset release --target installed' "$root/README.md" ||
  fail "README.md installs without the target installed"
grep -q 'build_preset release installed' "$root/tools/package" || fail "tools/package packs without the target installed"

"$stage/root/usr/bin/turnpike" --version >/dev/null || fail "the installed turnpike does not start"
"$stage/root/usr/bin/turnpike" --config "$stage/root/etc/turnpike/turnpike.yaml" --check ||
  fail "the installed configuration is not valid"

echo "# the operator's" >>"$stage/root/etc/turnpike/turnpike.yaml"
install_into "$stage/root" /usr
grep -q "the operator's" "$stage/root/etc/turnpike/turnpike.yaml" || fail "an edited configuration was overwritten"

# With another prefix, nothing is installed outside it, and the unit contains it.
install_into "" "$stage/prefix"
grep -q "^ExecStart=$stage/prefix/bin/turnpike --config $stage/prefix/etc/turnpike/turnpike.yaml$" \
  "$stage/prefix/lib/systemd/system/turnpike.service" || fail "the unit does not name its prefix"
[[ -e $stage/prefix/etc/turnpike/turnpike.yaml ]] || fail "no configuration below the prefix"
