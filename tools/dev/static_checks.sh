#!/usr/bin/env bash
# The static checks: clang-format, clang-tidy and shellcheck, in the versions of Debian 12. A developer can run a single
# check by its name; .ci/run runs all of them.
set -euo pipefail
# shellcheck source=tools/dev/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<END
tools/dev/static_checks.sh [format|fix-format|tidy|shell]...      (format, tidy and shell when nothing is named)
END
}

cpp_files() {
  find "$@" \( -name node_modules -o -name build \) -prune -o \
    \( -name '*.cpp' -o -name '*.hpp' \) -type f -print0 | sort -z
}

check_format() {
  local file wrong=()
  while IFS= read -r -d '' file; do
    clang-format-14 "$file" | cmp -s - "$file" || wrong+=("$file")
  done < <(cpp_files include src tests tools)
  if ((${#wrong[@]} > 0)); then
    printf 'not as .clang-format says: %s\n' "${wrong[@]}"
    diff -u --label "${wrong[0]}" --label formatted "${wrong[0]}" <(clang-format-14 "${wrong[0]}") | head -n 30 || true
    die "${#wrong[@]} files; tools/dev/static_checks.sh fix-format writes them anew"
  fi
}

fix_format() {
  cpp_files include src tests tools | xargs -0 -n 20 -P "$(nproc)" clang-format-14 -i
}

# build/tidy is configured only to get its compile_commands.json; it is never built.
check_tidy() {
  env -u TURNPIKE_CXX_LAUNCHER cmake --preset release -B build/tidy -DBUILD_TESTING=OFF >"$root/build/tidy.configure.log" 2>&1 || {
    tail -n 40 "$root/build/tidy.configure.log" >&2
    die "cannot configure build/tidy"
  }
  tools/dev/tidy.py build/tidy src tools
}

check_shell() {
  grep -rlIE --exclude-dir=node_modules '^#!.*(bash|/sh)$|^# shellcheck shell=bash' .ci tools tests systemd | xargs shellcheck -x
}

main() {
  cd "$root"
  mkdir -p build
  (($# > 0)) || set -- format tidy shell
  while (($# > 0)); do
    case $1 in
      format) check_format ;;
      fix-format) fix_format ;;
      tidy) check_tidy ;;
      shell) check_shell ;;
      -h | --help) usage && exit ;;
      *) usage >&2 && die "unknown check $1" ;;
    esac
    shift
  done
}

main "$@"
