#!/usr/bin/env bash
# systemd_test.sh SOURCE_DIR TURNPIKE tests that systemd finds no fault in the unit and rates its exposure 2.0
# or less, and that the files beside it are well-formed. No service is started.
set -euo pipefail

source_dir=$1 turnpike=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  printf 'systemd_test: %s\n' "$*" >&2
  exit 1
}

if ! command -v systemd-analyze >/dev/null; then
  [[ ${CI:-} == true ]] && fail "systemd-analyze is missing"
  echo "skipped: systemd-analyze is missing"
  exit 77
fi

# verify looks for the program, which is not installed here.
sed "s|^\\(Exec[A-Za-z]*\\)=/usr/bin/turnpike |\\1=$(realpath "$turnpike") |" "$source_dir/systemd/turnpike.service" \
  >"$work/turnpike.service"
grep -q "^ExecStart=$(realpath "$turnpike") " "$work/turnpike.service" || fail "ExecStart is not /usr/bin/turnpike"
# A minimal system has no program kill, and a core file would contain secrets.
grep -q "^ExecReload=$(realpath "$turnpike") --reload \$MAINPID$" "$work/turnpike.service" ||
  fail "ExecReload needs more than turnpike"
grep -qx 'LimitCORE=0' "$work/turnpike.service" || fail "LimitCORE is not 0"
# At boot, things that a start needs may become available late.
grep -qx 'StartLimitIntervalSec=0' "$work/turnpike.service" || fail "it gives up after a few starts"
complaints=$(systemd-analyze verify --man=no "$work/turnpike.service" 2>&1) || fail "verify: $complaints"
complaints=$(grep -F turnpike.service <<<"$complaints" || true)
[[ -z $complaints ]] || fail "verify: $complaints"

rating=$(systemd-analyze security --offline=yes --threshold=20 "$work/turnpike.service" 2>&1) ||
  fail "more exposed than 2.0: $(tail -n 1 <<<"$rating")"
tail -n 1 <<<"$rating"

mkdir -p "$work/root/etc" "$work/root/usr/lib/sysusers.d"
cp "$source_dir/systemd/turnpike.sysusers" "$work/root/usr/lib/sysusers.d/turnpike.conf"
accounts=$(systemd-sysusers --root="$work/root" --dry-run turnpike.conf 2>&1) || fail "systemd-sysusers: $accounts"
grep -q "Would create user 'turnpike'\|Creating user 'turnpike'" <<<"$accounts" || fail "systemd-sysusers: $accounts"
grep -Eq '^net\.core\.rmem_max = [0-9]+$' "$source_dir/systemd/turnpike.sysctl.conf" || fail "no rmem_max"
grep -Eq '^net\.core\.wmem_max = [0-9]+$' "$source_dir/systemd/turnpike.sysctl.conf" || fail "no wmem_max"
