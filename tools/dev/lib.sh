# shellcheck shell=bash
# Functions for tools/run, tools/test and .ci/run: the path of the checkout, messages, and the build of a preset. The
# caller must have set `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# "tools/test" or ".ci/run", whatever the working directory is.
script_name=$(basename "$(dirname "$(realpath "$0")")")/${0##*/}

say() { printf '%s: %s\n' "$script_name" "$*"; }
die() {
  printf '%s: %s\n' "$script_name" "$*" >&2
  exit 1
}

# Prints "uid gid" of the user who called sudo, when the checkout belongs to that user; nothing otherwise.
sudo_owner() {
  if ((EUID == 0)) && [[ -n ${SUDO_UID:-} && $(stat -c %u "$root") == "$SUDO_UID" ]]; then
    echo "$SUDO_UID ${SUDO_GID:-$SUDO_UID}"
  fi
}

# Under sudo, gives the files that root has made to the owner of the checkout, who could not build again otherwise.
give_back() {
  local owner made
  owner=$(sudo_owner)
  if [[ -n $owner ]]; then
    for made in "$root/build" "$root/tests/browser/node_modules"; do
      [[ ! -e $made ]] || chown -R "${owner/ /:}" "$made"
    done
  fi
}

# npm_install FOLDER TARGET WHAT installs the packages of FOLDER's package-lock.json in TARGET, if that file has changed.
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

# Gets the file that the daemon serves at /socket.io/socket.io.js. When that fails, the build goes on without it.
fetch_socket_io_client() {
  npm_install "$root/tools/dev/socket.io-client" "$root/build/npm" "Socket.IO's client" ||
    say "going on without: the daemon will say so at /socket.io/socket.io.js"
}

# build_preset NAME TARGET [CMAKE ARGUMENT...]; the target "all" builds everything in the preset.
build_preset() {
  local preset=$1 target=$2 started=$SECONDS
  shift 2
  if [[ -z ${TURNPIKE_CXX_LAUNCHER:-} ]] && command -v ccache >/dev/null; then
    export TURNPIKE_CXX_LAUNCHER=ccache
    # ccache needs these to cache files that use a precompiled header.
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
