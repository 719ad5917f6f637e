# shellcheck shell=bash
# The Debian packages that this project needs, and the function that installs the missing ones. tools/run, tools/test and
# .ci/run source this after lib.sh. `a|b` means the first package that is installed or that apt knows: the default Boost
# of Debian 12 is too old, and later releases have no 1.81.
# shellcheck disable=SC2034  # used by those who source this

packages_build=(
  g++ cmake ninja-build pkg-config ca-certificates iproute2
  python3 "libboost1.81-dev|libboost-dev" "libboost-json1.81-dev|libboost-json-dev" "libboost-url1.81-dev|libboost-url-dev"
  openssl libssl-dev libyaml-cpp-dev libspdlog-dev libcli11-dev prometheus-cpp-dev libunistring-dev
  libhiredis-dev libsqlite3-dev
)
packages_test=(
  catch2 systemd
  coturn  # another server with clients, for interoperability tests
  chromium
  "firefox-esr|firefox"  # for the status page
  nftables  # the NAT laboratory's routers
  dnsmasq-base  # a DNS server for the tests of stunclient
  python3-aioice libnice-dev curl  # more independent clients
  nginx libnginx-mod-stream haproxy  # proxies to stand in front of the signaling, and of STUN and TURN
  golang-go golang-github-pion-webrtc.v3-dev
  redis-server  # where the nodes of a cluster meet
  prometheus fail2ban  # for monitoring_test.py
  man-db mandoc  # to check the manual pages
  dpkg-dev debootstrap systemd-container lintian procps  # the Debian package, and a machine to install it in
)
packages_package=(dpkg-dev file git)  # tools/package; cpack needs file to find the libraries
packages_bench=(coturn libbenchmark-dev)  # tools/bench
packages_check=(
  clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 ccache shellcheck
)

# Debian's nodejs and npm, unless the machine has both already: a nodejs from elsewhere conflicts with Debian's npm.
if ! { command -v node && command -v npm; } >/dev/null; then
  packages_build+=(nodejs npm)
fi

package_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Prints the missing packages among the given names, one on each line; for `a|b`, the one to install.
missing_packages() {
  local wanted name names choice
  for wanted in "$@"; do
    IFS='|' read -ra names <<<"$wanted"
    choice=${names[0]}
    if ((${#names[@]} > 1)); then
      for name in "${names[@]}"; do
        if package_installed "$name" || [[ -n $(apt-cache madison "$name" 2>/dev/null) ]]; then choice=$name && break; fi
      done
    fi
    package_installed "$choice" || echo "$choice"
  done
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -- "$@"; fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
    -o Dpkg::Use-Pty=0 "$@"
}

# Tests need the programs of these packages. Their services would use our ports.
readonly services=(coturn nginx haproxy prometheus fail2ban redis-server)
# policy-rc.d is Debian's way to forbid the start of services. An existing one is not changed.
readonly policy=/usr/sbin/policy-rc.d
forbid_services() {
  [[ -e $policy ]] && return
  printf '#!/bin/sh\n# from turnpike/tools/dev/packages.sh, while it installs packages\nexit 101\n' |
    as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

allow_services() {
  if grep -qs turnpike/tools "$policy"; then as_root rm -f "$policy"; fi
}

# Writes the output of apt to the log, and prints one line for each 50 packages.
install_quietly() {
  local log=$1
  shift
  trap allow_services EXIT
  forbid_services
  apt_get install -y --no-install-recommends "$@" 2>&1 | tee -a "$log" |
    awk '/^Need to get/ { print "  " $0; fflush() }
         /^Setting up/ && ++n % 50 == 0 { print "  " n " packages set up"; fflush() }'
}

# install_packages LOG NAME... installs the missing packages. When none is missing, it does nothing and needs no sudo.
install_packages() {
  local log=$1 missing service new_services=()
  shift
  if [[ -z $(missing_packages "$@") ]]; then return; fi
  command -v apt-get >/dev/null ||
    die "this machine has no apt-get; install these by hand, then use --no-install: $(missing_packages "$@" | xargs)"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "only root can install what is missing here: $(missing_packages "$@" | xargs)"

  say "reading the package lists"
  apt_get update >"$log" 2>&1 || say "some package source did not answer; going on with the lists at hand ($log)"
  mapfile -t missing < <(missing_packages "$@")
  say "installing ${#missing[@]} packages: ${missing[*]}"
  for service in "${services[@]}"; do
    package_installed "$service" || new_services+=("$service")
  done
  if ! (install_quietly "$log" "${missing[@]}"); then
    tail -n 20 "$log" >&2
    die "apt-get failed; its output is in $log"
  fi
  for service in "${new_services[@]}"; do
    if package_installed "$service" && command -v systemctl >/dev/null; then
      say "$service is here for its programs only: its service stays off"
      as_root systemctl --quiet disable "$service.service" >>"$log" 2>&1 || true
    fi
  done
}
