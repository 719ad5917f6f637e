#!/usr/bin/env bash
# package_test.sh SOURCE_DIR BUILD_DIR tests the Debian package on a machine of its own, which systemd boots
# in a container. The service starts with the package's configuration, relays, reloads during a call, refuses
# a bad file, drains, starts again after a crash, uses certbot's certificates and systemd's credentials, is
# upgraded and removed, and a purge leaves only logs. Only debootstrap and apt use this machine's network,
# once: the tree that they make is kept in /var/cache/turnpike-test.
set -euo pipefail
# shellcheck source=tools/dev/lib.sh
source "$1/tools/dev/lib.sh"

readonly build=$2
readonly cache=/var/cache/turnpike-test
readonly mirror=http://deb.debian.org/debian
readonly config=/etc/turnpike/turnpike.yaml

# Not every machine has what a container needs, and this does not depend on who runs the tests.
skip() {
  echo "skipped: $*"
  exit 77
}

# step WHAT: prints what is tested next, and how long the test has taken so far.
step() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

# Commands run without this machine's locale and environment, and with a policy that is named explicitly.
clean_environment=(/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root TERM=dumb
  DEBIAN_FRONTEND=noninteractive)

outside() { chroot "$tree" "${clean_environment[@]}" "$@"; }                # while the machine is not booted
inside() { nsenter -t "$leader" -a -- "${clean_environment[@]}" "$@"; }     # while it runs

# Does the same with a deadline, for commands that wait for something.
inside_within() {
  local seconds=$1
  shift
  inside timeout "$seconds" "$@"
}

service() { inside systemctl show --value --property "$1" turnpike.service; }

expect_active() {
  local state
  state=$(service ActiveState)
  [[ $state == active ]] || failed "the service is $state: $1"
}

failed() {
  if [[ -n ${leader:-} ]]; then inside journalctl --no-pager --lines 15 --unit turnpike.service >&2 || true; fi
  die "$*"
}

# After this, wait_for_journal finds what the machine's journal says from now on.
mark_journal() {
  cursor=$(inside journalctl --lines 1 --show-cursor --no-pager --quiet | sed -n 's/^-- cursor: //p')
  [[ -n $cursor ]] || failed "the journal has no cursor"
}

# wait_for_journal SECONDS TEXT: waits until systemd or turnpike says TEXT about the service.
wait_for_journal() {
  local status=0
  # shellcheck disable=SC2016  # expanded by the shell inside
  inside_within "$1" bash -c 'journalctl --follow --lines all --after-cursor "$1" --unit turnpike.service --output cat |
    grep --quiet --max-count 1 --fixed-strings "$2"; exit "${PIPESTATUS[1]}"' bash "$cursor" "$2" || status=$?
  ((status == 0)) || failed "within $1 s nothing was said of \"$2\""
}

release_of() { sed -n "s/^$1=\"\\?\\([^\"]*\\)\"\\?$/\\1/p" /etc/os-release; }

copy_network_settings() {
  local file
  cp -L /etc/resolv.conf "$tree/etc/"
  for file in /etc/apt/apt.conf.d/*proxy*; do
    if [[ -e $file ]]; then cp "$file" "$tree/etc/apt/apt.conf.d/"; fi
  done
}

# Begins with a minimal Debian of this machine's release with systemd: the kept one, or a new one, which is
# made while this script does other things.
begin_tree() {
  local suite
  suite=$(release_of VERSION_CODENAME)
  tree=$work/tree archive=$cache/$suite-$(dpkg --print-architecture).tar making_tree=''
  mkdir -p "$tree" "$cache"
  if [[ -e $archive ]]; then
    step "unpacking $archive"
    tar -C "$tree" -xf "$archive"
  else
    step "debootstrap $suite, beside what follows"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus "$suite" "$tree" "$mirror" \
      >"$work/debootstrap.log" 2>&1 &
    making_tree=$!
  fi
}

# Adds the libraries that the package needs, unless they are there, and keeps the tree for the next run.
finish_tree() {
  local depends
  depends=$(dpkg-deb --field "$package" Depends)
  if [[ -n $making_tree ]]; then
    step "waiting for debootstrap"
    wait "$making_tree" || {
      tail -n 5 "$work/debootstrap.log" >&2
      skip "debootstrap failed; is $mirror reachable?"
    }
    copy_network_settings
    # Nobody needs the timers and the login prompt of this machine.
    outside systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer dpkg-db-backup.timer \
      fstrim.timer console-getty.service systemd-networkd-wait-online.service
  fi
  if cmp -s "$tree/root/depends" - <<<"$depends"; then return; fi
  step "installing what the package depends on"
  cp -L /etc/resolv.conf "$tree/etc/"
  # shellcheck disable=SC2016  # expanded by the shell inside
  outside sh -c 'apt-get -q update && apt-get -q satisfy -y --no-install-recommends "$1" && apt-get clean &&
    rm -rf /var/lib/apt/lists/*' sh "$depends" >"$work/apt.log" 2>&1 || {
    tail -n 10 "$work/apt.log" >&2
    skip "apt-get cannot install what the package depends on"
  }
  echo "$depends" >"$tree/root/depends"
  # The test of another checkout may do the same now.
  local made
  made=$(mktemp "$archive.XXXXXX")
  tar -C "$tree" -cf "$made" .
  mv "$made" "$archive"
}

# This is the same package as version 0.0.1, whose default configuration differs in a comment. When the
# operator has changed the file too, an upgrade has to choose, and must choose the operator's file.
make_older_package() {
  local folder=$work/older
  dpkg-deb --raw-extract "$package" "$folder"
  sed -i 's/^Version: .*/Version: 0.0.1/' "$folder/DEBIAN/control"
  echo "# A line that only version 0.0.1 has." >>"$folder$config"
  sed -i "s|^[0-9a-f]*  etc/turnpike/turnpike.yaml\$|$(md5sum <"$folder$config" | cut -c 1-32)  etc/turnpike/turnpike.yaml|" \
    "$folder/DEBIAN/md5sums"
  dpkg-deb --root-owner-group --build "$folder" "$work/older.deb" >"$work/older.log"
}

boot() {
  local log=$work/console.log
  : >"$log"
  systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --console=read-only -D "$tree" \
    </dev/null >"$log" 2>&1 &
  machine=$!
  if ! timeout 120 grep -q 'Reached target.*multi-user.target' <(tail -n +1 -f --pid="$machine" "$log"); then
    tail -n 20 "$log" >&2
    if ! kill -0 "$machine" 2>/dev/null; then skip "systemd-nspawn cannot boot a machine here"; fi
    die "the machine does not reach multi-user.target within 120 s"
  fi
  leader=$(pgrep -P "$machine")
}

# install_package FILE [DPKG OPTION...]
install_package() {
  local file=$1
  shift
  cp "$file" "$tree/root/package.deb"
  "$run_in_tree" dpkg "$@" --install /root/package.deb >"$work/dpkg.log" 2>&1 || {
    cat "$work/dpkg.log" >&2
    failed "dpkg --install $(basename "$file") failed"
  }
}

dpkg_does() {
  inside dpkg "$@" turnpike >"$work/dpkg.log" 2>&1 || {
    cat "$work/dpkg.log" >&2
    failed "dpkg $* turnpike failed"
  }
}

expect_output() {
  local wanted=$1 output
  shift
  output=$(inside "$@" 2>&1) || failed "$*: $output"
  grep -qF -- "$wanted" <<<"$output" || failed "$* does not say \"$wanted\": $output"
}

check_with_lintian() {
  if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error --tag-display-limit 0 "$package" >"$work/lintian.log" 2>&1
  elif [[ ${CI:-} == true ]]; then
    echo "lintian is missing" >"$work/lintian.log"
    return 1
  else
    echo "lintian is missing: nothing is checked" >"$work/lintian.log"
  fi
}

show_default_configuration() {
  step "the default configuration: STUN alone, and the admin socket"
  expect_active "after the boot that follows an installation"
  expect_output "Binding test: success" stunclient 127.0.0.1
  if inside env STUNCLIENT_PASSWORD=guessed stunclient --turn --user alice 127.0.0.1 >"$work/log" 2>&1; then
    failed "somebody may relay by default: $(cat "$work/log")"
  fi
  inside turnpikectl status >"$work/log" 2>&1 || failed "turnpikectl status: $(cat "$work/log")"

  [[ $(inside stat -c '%a %U:%G' /etc/turnpike) == '750 root:turnpike' ]] || failed "who may read /etc/turnpike?"
  [[ $(inside stat -c '%a %U:%G' "$config") == '640 root:turnpike' ]] || failed "who may read $config?"
  [[ $(inside stat -c '%a %U:%G' /run/turnpike/admin.sock) == '660 turnpike:turnpike' ]] || failed "who may use the socket?"
  [[ $(inside stat -c %U "/proc/$(service MainPID)") == turnpike ]] || failed "it does not run as turnpike"
  inside systemd-analyze security --no-pager --threshold=20 turnpike.service >"$work/log" ||
    failed "more exposed than 2.0: $(tail -n 1 "$work/log")"
  tail -n 1 "$work/log"
}

# Installs the operator's file.
configure() {
  cat >"$tree$config" <<END
realm: example.org
auth:
  users: {alice: a-password-of-this-test}
  database: sqlite:/var/lib/turnpike/users.db
peers:
  allow: [127.0.0.0/8]
admin:
  listen: [unix:/run/turnpike/admin.sock]
END
}

relays() { inside env STUNCLIENT_PASSWORD=a-password-of-this-test stunclient --turn --user alice 127.0.0.1 >"$work/log" 2>&1; }

show_relaying() {
  step "a user, and peers on loopback: reload, relay"
  configure
  inside systemctl reload turnpike.service || failed "systemctl reload failed"
  relays || failed "stunclient --turn: $(cat "$work/log")"
}

show_users() {
  local password
  step "a user in the database, which the service itself makes"
  password=$(inside turnpikectl user add bob --generate | sed -n 's/^password  //p')
  [[ -n $password ]] || failed "turnpikectl user add printed no password"
  [[ $(inside stat -c '%a %U:%G' /var/lib/turnpike/users.db) == '600 turnpike:turnpike' ]] || failed "who may read the users?"
  inside env STUNCLIENT_PASSWORD="$password" stunclient --turn --user bob 127.0.0.1 >"$work/log" 2>&1 ||
    failed "stunclient --turn of a new user: $(cat "$work/log")"
  inside systemctl restart turnpike.service
  inside env STUNCLIENT_PASSWORD="$password" stunclient --turn --user bob 127.0.0.1 >"$work/log" 2>&1 ||
    failed "stunclient --turn of a user after a restart: $(cat "$work/log")"
}

number_in() { sed -n "s/.*\"$1\":\\([0-9]*\\).*/\\1/p" "$2"; }

# Makes one call of three seconds after the other, each through many reloads, until the file of this name
# exists. Prints the sent and delivered datagrams of each call.
calls_until() {
  while [[ ! -e $1 ]]; do
    inside_within 60 turnbench --server 127.0.0.1:3478 --user alice --password a-password-of-this-test --clients 4 \
      --rate 400 --duration 3 --json >"$work/call.json" 2>"$work/call.log" || return
    echo "$(number_in sent "$work/call.json") $(number_in delivered "$work/call.json")"
  done
}

show_reloads_beside_a_call() {
  local calls pid sent=0 delivered=0 each_sent each_delivered
  step "100 reloads beside calls"
  pid=$(service MainPID)
  mark_journal
  calls_until "$work/reloaded" >"$work/calls" &
  calls=$!
  wait_for_journal 30 "allocation created"
  # shellcheck disable=SC2016  # expanded by the shell inside
  inside bash -c 'for ((n = 1; n <= 100; n++)); do systemctl reload turnpike.service || exit; done' ||
    failed "one of 100 reloads failed"
  : >"$work/reloaded"
  wait "$calls" || failed "a call failed: $(cat "$work/call.log")"
  while read -r each_sent each_delivered; do
    ((sent += each_sent, delivered += each_delivered))
  done <"$work/calls"
  ((sent >= 1000 && delivered == sent)) || failed "of $sent datagrams $delivered arrived"
  [[ $(service MainPID) == "$pid" ]] || failed "the service is another process after the reloads"
  echo "        $delivered of $sent datagrams arrived in $(wc -l <"$work/calls") calls"
}

show_refusal_of_a_bad_file() {
  local pid
  step "a bad file: the reload fails, the service goes on"
  pid=$(service MainPID)
  mark_journal
  echo "unheard_of: 1" >>"$tree$config"
  if inside systemctl reload turnpike.service 2>"$work/log"; then failed "a reload of a bad file succeeded"; fi
  wait_for_journal 10 unheard_of
  if inside turnpikectl reload >"$work/log" 2>&1; then failed "turnpikectl reload of a bad file succeeded"; fi
  expect_active "after a reload of a bad file"
  [[ $(service MainPID) == "$pid" ]] || failed "the service is another process after a reload of a bad file"
  # The journal has the priority of each line, and its time, which the line does not repeat.
  expect_output "error the reload failed" journalctl --quiet --no-pager --output cat --priority err --unit turnpike.service
  if inside journalctl --quiet --no-pager --output cat --unit turnpike.service | grep -E '^(<|20[0-9]{2}-)'; then
    failed "a line of the journal has its priority or its time in the text"
  fi
  relays || failed "stunclient --turn after a reload of a bad file: $(cat "$work/log")"
  configure
  inside systemctl reload turnpike.service || failed "the file is good again, and the reload failed"
}

show_crash() {
  local pid
  step "kill -9: it comes back"
  pid=$(service MainPID)
  mark_journal
  # shellcheck disable=SC2016  # expanded by the shell inside
  inside bash -c 'kill -KILL "$1"' bash "$pid"  # a minimal Debian has no program kill
  wait_for_journal 30 "Started turnpike"
  expect_active "after a crash"
  [[ $(service MainPID) != "$pid" && $(service NRestarts) == 1 ]] || failed "it was not restarted"
  relays || failed "stunclient --turn after a crash: $(cat "$work/log")"
}

# make_lineage FOLDER SUBJECT: makes what certbot stores for a certificate, which only root can read.
make_lineage() {
  (umask 077 && mkdir -p "$1")
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 -subj "/CN=$2" \
    -addext "subjectAltName=DNS:$2" -keyout "$1/privkey.pem" -out "$1/fullchain.pem" 2>"$work/log" ||
    failed "openssl req: $(cat "$work/log")"
  chmod 600 "$1/privkey.pem"
}

# run_hook LINEAGE: runs the hook as certbot does.
run_hook() {
  inside env RENEWED_LINEAGE="$1" /usr/share/doc/turnpike/examples/certbot-deploy-hook >"$work/log" 2>&1 ||
    failed "certbot-deploy-hook: $(cat "$work/log")"
}

# Prints the serial number of the certificate in a file, or of the one that the service shows by TLS.
serial_of() { openssl x509 -noout -serial -in "$1"; }
served_serial() {
  nsenter -t "$leader" -n openssl s_client -connect 127.0.0.1:5349 </dev/null 2>/dev/null | openssl x509 -noout -serial
}

show_certbot_hook() {
  local live=/etc/letsencrypt/live/turn.example.org tls=/etc/turnpike/tls file
  step "certbot's deploy hook: the service uses a new certificate without a reload"
  make_lineage "$tree$live" turn.example.org
  run_hook "$live"
  [[ $(inside stat -c '%a %U:%G' $tls) == '750 root:turnpike' ]] || failed "who may read $tls?"
  [[ $(inside stat -c '%a %U:%G' $tls/privkey.pem) == '640 root:turnpike' ]] || failed "who may read the key?"
  [[ $(inside stat -c '%a %U:%G' $tls/fullchain.pem) == '644 root:turnpike' ]] || failed "who may read the certificate?"
  cat >>"$tree$config" <<END
listen: ["udp://0.0.0.0:3478", "tls://0.0.0.0:5349"]
tls: {certificate: $tls/fullchain.pem, private_key: $tls/privkey.pem}
END
  inside systemctl restart turnpike.service || failed "it does not start with the hook's certificate"
  expect_output "Binding test: success" stunclient --protocol tls 127.0.0.1
  [[ $(served_serial) == $(serial_of "$tree$live/fullchain.pem") ]] || failed "it serves another certificate than the hook's"

  mark_journal
  make_lineage "$tree$live" turn.example.org
  run_hook "$live"
  wait_for_journal 30 "the certificate files have changed and were read again"
  [[ $(served_serial) == $(serial_of "$tree$live/fullchain.pem") ]] || failed "it does not serve the new certificate"
  expect_output "Binding test: success" stunclient --protocol tls 127.0.0.1

  # A failed renewal changes nothing.
  rm "$tree$live/fullchain.pem"
  if inside env RENEWED_LINEAGE=$live /usr/share/doc/turnpike/examples/certbot-deploy-hook >"$work/log" 2>&1; then
    failed "a hook without a certificate succeeded"
  fi
  if inside /usr/share/doc/turnpike/examples/certbot-deploy-hook >"$work/log" 2>&1; then failed "so did one without a lineage"; fi
  file=$(inside find $tls -type f | sort | tr '\n' ' ')
  [[ $file == "$tls/fullchain.pem $tls/privkey.pem " ]] || failed "the hook left $file"
  rm -r "$tree/etc/letsencrypt"
}

show_credentials() {
  local drop_in=/etc/systemd/system/turnpike.service.d/credentials.conf folder=/etc/turnpike-credentials until password
  step "secrets that systemd hands over"
  mkdir -p "$tree$(dirname $drop_in)"
  # Its lines that are commented out have no space after the #.
  sed 's/^#\([^ ]\)/\1/' "$tree/usr/share/doc/turnpike/examples/credentials.conf" >"$tree$drop_in"
  (umask 077 && mkdir "$tree$folder" && echo a-secret-of-this-test >"$tree$folder/turn-secret" &&
    head -c 32 /dev/urandom | base64 >"$tree$folder/token-key")
  # The example's lines come below "auth:" and replace what is there.
  {
    echo "realm: example.org"
    sed -n 's/^#   //p' "$tree/usr/share/doc/turnpike/examples/credentials.conf"
    printf '%s\n' "peers: {allow: [127.0.0.0/8]}" "admin: {listen: [unix:/run/turnpike/admin.sock]}"
  } >"$tree$config"
  inside systemctl daemon-reload
  inside systemctl restart turnpike.service || failed "it does not start with secrets of systemd's"
  expect_active "with secrets of systemd's"
  # A web application makes time-limited credentials in this way.
  until=$(($(date +%s) + 600)):ann
  password=$(printf %s "$until" | openssl dgst -sha1 -hmac a-secret-of-this-test -binary | base64)
  inside env STUNCLIENT_PASSWORD="$password" stunclient --turn --user "$until" 127.0.0.1 >"$work/log" 2>&1 ||
    failed "the secret of the credential is not used: $(cat "$work/log")"
  if inside env STUNCLIENT_PASSWORD=another stunclient --turn --user "$until" 127.0.0.1 >"$work/log" 2>&1; then
    failed "another password is good as well"
  fi
  rm -r "$tree$(dirname $drop_in)" "${tree:?}$folder"
  configure
  inside systemctl daemon-reload
  inside systemctl restart turnpike.service || failed "it does not start without them"
}

# Prints the host's number of the daemon's first worker thread. Only this test's processes are visible here.
worker_thread() {
  local name
  name=$(grep -lx worker-0 /proc/[0-9]*/task/*/comm) || failed "the daemon has no thread worker-0"
  basename "$(dirname "$name")"
}

show_watchdog() {
  local pid holder
  step "a worker that hangs: the watchdog restarts the service"
  mkdir -p "$tree/etc/systemd/system/turnpike.service.d"
  printf '[Service]\nWatchdogSec=2\n' >"$tree/etc/systemd/system/turnpike.service.d/test.conf"
  inside systemctl daemon-reload
  inside systemctl restart turnpike.service || failed "it does not start with a shorter WatchdogSec"
  # The status comes after the word that the service is ready, which a restart waits for.
  # shellcheck disable=SC2016  # expanded by the shell inside
  inside_within 30 bash -c 'until systemctl show --property StatusText turnpike.service | grep -q " allocations, "; do sleep 0.1; done' ||
    failed "the service does not say how many allocations there are"
  pid=$(service MainPID)
  mark_journal
  # The thread stays stopped until it is killed, as a traced thread does, and then its tracer ends too.
  python3 - "$(worker_thread)" <<'END' &
import ctypes, os, sys
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
libc, thread = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
for request in PTRACE_SEIZE, PTRACE_INTERRUPT:
    if libc.ptrace(request, thread, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
while os.WIFSTOPPED(os.waitpid(thread, WALL)[1]):
    pass
END
  holder=$!
  wait_for_journal 30 "Watchdog timeout"
  wait_for_journal 30 "Started turnpike"
  wait "$holder" || failed "the worker was not held"
  expect_active "after its watchdog"
  [[ $(service MainPID) != "$pid" ]] || failed "it was not restarted"
  relays || failed "stunclient --turn after the watchdog: $(cat "$work/log")"
  rm -r "$tree/etc/systemd/system/turnpike.service.d"
  inside systemctl daemon-reload
}

# start_container [OPTION OF SYSTEMD-NSPAWN...]: starts the image's program as tools/container/Containerfile
# runs it, as far as this is possible without a registry of images. Sets `container` and `pid`; its output
# goes to `log`.
start_container() {
  local entrypoint options
  mapfile -t entrypoint < <(sed -n 's/^ENTRYPOINT //p' "$source_dir/tools/container/Containerfile" |
    python3 -c 'import json, sys; print(*json.load(sys.stdin), sep="\n")')
  # The folders that its command makes writable have the same mode as in the image.
  mapfile -t options < <(sed -n 's|^#.* --tmpfs \([^ ]*\).*|--tmpfs=\1:mode=1777|p' "$source_dir/tools/container/Containerfile")
  systemd-nspawn --quiet --register=no --keep-unit --private-network --read-only --as-pid2 --user=turnpike \
    --no-new-privileges=yes --drop-capability=all --console=pipe "${options[@]}" "$@" -D "$tree" "${entrypoint[@]}" >"$log" 2>&1 &
  container=$!
  if ! timeout 60 grep -q ' ready$' <(tail -n +1 -f --pid="$container" "$log"); then
    die "it does not start as a container: $(tail -n 20 "$log")"
  fi
  pid=$(pgrep -x turnpike)
}

stop_container() {
  local status=0
  kill -TERM "$pid"
  wait "$container" || status=$?
  ((status == 0)) || die "it ended with $status: $(tail -n 20 "$log")"
}

show_container() {
  local log=$work/container.log container pid
  step "as a container: no init, another user, a root that cannot be written to, no capability"
  mkdir "$tree/var/lib/turnpike"  # systemd-nspawn wants the account's home
  # The package does this itself when there is a /proc.
  outside chgrp turnpike /etc/turnpike "$config"
  : >"$log"
  start_container
  [[ $(sed -n 's/^CapEff:\t0*//p;s/^CapBnd:\t0*//p' "/proc/$pid/status") =~ ^$'\n'?$ ]] || die "it has capabilities"
  nsenter -t "$pid" -a "${clean_environment[@]}" stunclient 127.0.0.1 >"$work/log" 2>&1 || die "stunclient: $(cat "$work/log")"
  nsenter -t "$pid" -a "${clean_environment[@]}" turnpikectl status >"$work/log" 2>&1 || die "turnpikectl: $(cat "$work/log")"
  stop_container
  # docker reads only this list of files that are not part of an image, and podman reads it too.
  grep -qx build "$source_dir/.dockerignore" || die "the images of docker would have the build folder in them"
}

# volume_mode KIND: prints the mode of the files in the manifest's volume of this kind.
volume_mode() { sed -n "s/.* $1: .*defaultMode: \([0-7]*\).*/\1/p" "$source_dir/tools/container/kubernetes.yaml" | grep .; }

show_pod() {
  local log=$work/container.log container pid manifest=$source_dir/tools/container/kubernetes.yaml group path port
  step "as a pod of tools/container/kubernetes.yaml"
  sed -n '/^  turnpike.yaml: |$/,/^---$/s/^    //p' "$manifest" >"$work/pod.yaml"
  echo a-secret-of-thirty-two-characters >"$work/secret"
  # The kubelet does the same: the volumes' group is fsGroup, which is one of the program's groups.
  group=$(sed -n 's/^ *fsGroup: //p' "$manifest")
  [[ $group == "$(sed -n 's/^ *runAsGroup: //p' "$manifest")" ]] || die "the volumes belong to another group than the program's"
  chgrp "$(outside id -g turnpike)" "$work/pod.yaml" "$work/secret"
  chmod "$(volume_mode configMap)" "$work/pod.yaml"
  chmod "$(volume_mode secret)" "$work/secret"
  : >"$log"
  start_container --bind-ro="$work/pod.yaml:$config" --bind-ro="$work/secret:/run/secrets/turnpike/secret"
  if grep 'everybody on this machine' "$log"; then die "the volumes are open to everybody"; fi
  nsenter -t "$pid" -a "${clean_environment[@]}" turnpikectl status >"$work/log" 2>&1 || die "turnpikectl: $(cat "$work/log")"
  while read -r port path; do
    nsenter -t "$pid" -n python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$port$path', timeout=10)" ||
      die "the probe of $path fails"
  done < <(sed -n 's/.*httpGet: .*port: \([0-9]*\), path: \([^}]*\)}/\1 \2/p' "$manifest")
  stop_container
  rmdir "$tree/var/lib/turnpike"
}

show_drain() {
  local call sent
  step "drain beside a call: the call goes on, then the service ends, and not as a failure"
  mark_journal
  inside_within 60 turnbench --server 127.0.0.1:3478 --user alice --password a-password-of-this-test --clients 1 \
    --rate 100 --duration 3 --json >"$work/call.json" 2>"$work/call.log" &
  call=$!
  wait_for_journal 30 "allocation created"
  inside_within 30 turnpikectl drain --deadline 60s >"$work/log" 2>&1 || failed "turnpikectl drain: $(cat "$work/log")"
  expect_active "while a call goes on"
  wait "$call" || failed "the call failed: $(cat "$work/call.log")"
  sent=$(number_in sent "$work/call.json")
  ((sent > 0 && $(number_in delivered "$work/call.json") == sent)) || failed "the drain cost datagrams"
  wait_for_journal 30 "Deactivated successfully"
  [[ $(service ActiveState) == inactive && $(service Result) == success && $(service ExecMainStatus) == 0 ]] ||
    failed "after a drain: $(service ActiveState), $(service Result), exit code $(service ExecMainStatus)"
}

show_upgrade() {
  local wanted pid
  step "an upgrade keeps the operator's configuration and restarts what runs"
  inside systemctl start turnpike.service || failed "it does not start after a drain"
  pid=$(service MainPID)
  install_package "$package" --force-confold
  wanted=$(dpkg-deb --field "$package" Version)
  # shellcheck disable=SC2016  # expanded by dpkg-query
  [[ $(inside dpkg-query -W -f '${Version}' turnpike) == "$wanted" ]] || failed "not version $wanted after the upgrade"
  grep -q a-password-of-this-test "$tree$config" || failed "the upgrade took the operator's configuration away"
  [[ -e $tree$config.dpkg-dist ]] || failed "the upgrade did not leave the package's own configuration beside it"
  [[ $(inside stat -c '%a %U:%G' "$config") == '640 root:turnpike' ]] || failed "who may read $config after the upgrade?"
  expect_active "after an upgrade"
  [[ $(service MainPID) != "$pid" ]] || failed "the upgrade left the old program running"
  relays || failed "stunclient --turn after an upgrade: $(cat "$work/log")"

  step "an upgrade does not wait for calls that a drain lets go on"
  printf 'shutdown: {drain: 10m}\n' >>"$tree$config"
  inside systemctl reload turnpike.service || failed "systemctl reload failed"
  pid=$(service MainPID)
  mark_journal
  inside_within 60 turnbench --server 127.0.0.1:3478 --user alice --password a-password-of-this-test --clients 1 \
    --rate 10 --duration 30 >"$work/call.log" 2>&1 &
  wait_for_journal 30 "allocation created"
  kill -KILL "$(pgrep -x turnbench)"  # its allocation stays for ten minutes
  inside_within 60 dpkg --install /root/package.deb >"$work/dpkg.log" 2>&1 || failed "dpkg: $(cat "$work/dpkg.log")"
  grep -q "ends them at once" "$work/dpkg.log" || failed "dpkg does not say what it does not wait for: $(cat "$work/dpkg.log")"
  [[ $(service MainPID) == "$pid" && $(service ActiveState) == deactivating ]] || failed "the call was not let go on"
  mark_journal
  inside systemctl kill turnpike.service
  wait_for_journal 30 "Started turnpike"
  configure
  inside systemctl reload turnpike.service || failed "systemctl reload failed after an upgrade beside a drain"

  step "an upgrade of a stopped service does not start it"
  inside systemctl stop turnpike.service
  install_package "$package"
  [[ $(service ActiveState) == inactive ]] || failed "the service is $(service ActiveState)"
  inside systemctl start turnpike.service
}

show_removal() {
  local left
  step "removal, and back again"
  dpkg_does --remove
  [[ $(service ActiveState) == inactive ]] || failed "the service is $(service ActiveState) after the removal"
  [[ ! -e $tree/usr/bin/turnpike && -e $tree$config ]] || failed "a removal takes the programs and keeps the configuration"
  install_package "$package"
  expect_active "after a removal and an installation"
  relays || failed "stunclient --turn after a removal and an installation: $(cat "$work/log")"

  step "purge: nothing is left but logs"
  dpkg_does --purge
  left=$(inside find / -xdev \( -path /proc -o -path /sys -o -path /var/log \) -prune -o \
    \( -name '*turnpike*' -o -name 'stunclient*' -o -name 'turnbench*' -o -user turnpike -o -group turnpike \) -print)
  left+=$(inside find /run /tmp -name '*turnpike*' -print)
  [[ -z $left ]] || failed "left after the purge: $left"
  [[ -z $(inside systemctl list-unit-files --no-legend 'turnpike*') ]] || failed "systemd still knows the service"

  step "an installation where systemd runs: the service is up at once"
  install_package "$package"
  expect_active "after an installation"
  expect_output "Binding test: success" stunclient 127.0.0.1
  dpkg_does --purge

  step "where policy-rc.d forbids it, an installation starts nothing"
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
  chmod 755 "$tree/usr/sbin/policy-rc.d"
  install_package "$package"
  [[ $(service ActiveState) == inactive ]] || failed "the service is $(service ActiveState)"
  inside systemctl is-enabled --quiet turnpike.service || failed "it is not enabled"
  rm "$tree/usr/sbin/policy-rc.d"
  inside systemctl start turnpike.service || failed "it does not start by hand"
  dpkg_does --purge
}

main() {
  local tool
  ((EUID == 0)) || skip "only root can boot a machine"
  [[ $(release_of ID) == debian ]] || skip "this is no Debian, so there is no package of its own to make"
  # A chroot with a fresh /sys, such as tools/dev/bare_debian makes, has none.
  [[ $(stat -f -c %T /sys/fs/cgroup) != sysfs ]] || skip "no control groups are mounted, which systemd needs"
  for tool in debootstrap systemd-nspawn dpkg-shlibdeps nsenter openssl; do
    command -v "$tool" >/dev/null || skip "$tool is missing"
  done

  # The tree is in memory, where dpkg's many fsync calls take no time. The mounts and the processes are in
  # namespaces of their own, and end with this script in any case.
  work=$(mktemp -d)
  trap 'rmdir "$work"' EXIT
  unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$source_dir" "$build" --in-namespaces "$work"
}

test_package() {
  work=$1 leader='' machine='' run_in_tree=outside
  mount -t tmpfs -o size=2g,mode=700 turnpike-test "$work"

  begin_tree
  step "packing"
  # The umask is strict, and must not affect the package.
  (umask 077 && cpack --config "$build/CPackConfig.cmake" -B "$work/pack" >"$work/cpack.log" 2>&1) || {
    tail -n 20 "$work/cpack.log" >&2
    die "cpack failed"
  }
  package=$(find "$work/pack" -maxdepth 1 -name '*.deb')
  ls -l "$package"
  if dpkg-deb --contents "$package" | grep '^d' | grep -v '^drwxr-xr-x root/root '; then die "folders that not everybody may enter"; fi
  # This takes some time and one core.
  check_with_lintian &
  local lintian=$!
  make_older_package
  finish_tree

  step "an installation where systemd does not run"
  install_package "$work/older.deb"
  show_container
  show_pod
  step "boot"
  boot
  run_in_tree=inside
  show_default_configuration
  show_relaying
  show_users
  show_reloads_beside_a_call
  show_refusal_of_a_bad_file
  show_crash
  show_watchdog
  show_certbot_hook
  show_credentials
  show_drain
  show_upgrade
  show_removal
  step "what lintian says"
  wait "$lintian" || die "lintian found errors: $(cat "$work/lintian.log")"
  cat "$work/lintian.log"
  step "done"
}

source_dir=$1
if [[ ${3:-} == --in-namespaces ]]; then test_package "$4"; else main; fi
