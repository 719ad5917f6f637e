# shellcheck shell=bash
# What tools/run, tools/test and .ci/run have in common: where the checkout is, how they speak, how a preset is built.
# Sourced with `set -euo pipefail` in force.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# "tools/test" or ".ci/run", wherever it was called from.
script_name=$(basename "$(dirname "$(realpath "$0")")")/${0##*/}

say() { printf '%s: %s\n' "$script_name" "$*"; }
die() {
  printf '%s: %s\n' "$script_name" "$*" >&2
  exit 1
}

# sudo's caller, when the checkout is theirs: "uid gid"; nothing otherwise.
sudo_owner() {
  if ((EUID == 0)) && [[ -n ${SUDO_UID:-} && $(stat -c %u "$root") == "$SUDO_UID" ]]; then
    echo "$SUDO_UID ${SUDO_GID:-$SUDO_UID}"
  fi
}

# Under sudo, what root made in the checkout goes back to its owner, who could not build there again otherwise.
give_back() {
  local owner made
  owner=$(sudo_owner)
  if [[ -n $owner ]]; then
    for made in "$root/build" "$root/tests/browser/node_modules"; do
      [[ ! -e $made ]] || chown -R "${owner/ /:}" "$made"
    done
  fi
}

# npm_install FOLDER TARGET WHAT: in TARGET, exactly what FOLDER's package-lock.json says; again only when that has changed.
npm_install() {
  local folder=$1 target=$2 what=$3
  local stamp=$target/node_modules/.package-lock-installed
  if cmp -s "$folder/package-lock.json" "$stamp"; then return; fi
  say "installing $what from npm"
  mkdir -p "$target"
  if [[ ! $folder -ef $target ]]; then cp "$folder/package.json" "$folder/package-lock.json" "$target"; fi
  (cd "$target" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) || return 1
  cp "$folder/package-lock.json" "$stamp"
}

# What the daemon serves at /socket.io/socket.io.js; it does without where that cannot be had.
fetch_socket_io_client() {
  npm_install "$root/tools/dev/socket.io-client" "$root/build/npm" "Socket.IO's client" ||
    say "going on without: the daemon will say so at /socket.io/socket.io.js"
}

# build_preset NAME TARGET [CMAKE ARGUMENT...]; the target "all" is everything that the preset has.
build_preset() {
  local preset=$1 target=$2 started=$SECONDS
  shift 2
  if [[ -z ${TURNPIKE_CXX_LAUNCHER:-} ]] && command -v ccache >/dev/null; then
    export TURNPIKE_CXX_LAUNCHER=ccache
    # Without these it would not cache what is compiled with a precompiled header.
    export CCACHE_SLOPPINESS=pch_defines,time_macros
  fi
  say "configuring preset $preset"
  (cd "$root" && cmake --preset "$preset" "$@" >"build/$preset.configure.log" 2>&1) || {
    tail -n 40 "$root/build/$preset.configure.log" >&2
    die "cmake --preset $preset failed"
  }
  say "building preset $preset (a few minutes the first time)"
  (cd "$root" && cmake --build --preset "$preset" --target "$target")
  say "built preset $preset in $((SECONDS - started)) s"
}
