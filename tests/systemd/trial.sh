# Runs inside a Debian system whose first process is systemd, with our package installed. Each step ends in a line `ok: WHAT`, or the script fails.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

unit=session-reaper.service
log() { journalctl --no-pager --quiet --output=cat --unit="$unit" 2>/dev/null || true; }
fail() { echo "FAILED: $1"; systemctl status --no-pager --full "$unit" || true; log | tail -n 40; exit 1; }
ok() { echo "ok: $1"; }
property() { systemctl show --value --property="$1" "$unit"; }
# Waits for a state: until COMMAND…
until_true() {
    for _ in $(seq 600); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    return 1
}
answers() { curl --silent --fail --max-time 2 "http://127.0.0.1:9753$1"; }
says() { property StatusText | grep --quiet -- "$1"; }
started_anew() { [ "$(property MainPID)" != "$1" ] && [ "$(property ActiveState)" = active ]; }

ip link set lo up 2>/dev/null || true

# As it was installed.
[ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" = disabled ] || fail "it is enabled by its installation"
[ "$(stat --format=%a /etc/session-reaper/keys)" = 700 ] || fail "the folder of keys is open"
grep --quiet '^mode = "observe"' /etc/session-reaper/config.toml || fail "it is not installed in observe mode"
session-reaper check --skip-credentials >/dev/null || fail "the configuration as installed is faulty"
[ -s /usr/share/man/man1/session-reaper.1.gz ] || [ -s /usr/share/man/man1/session-reaper.1 ] || fail "there is no manual page"
[ -s /usr/share/bash-completion/completions/session-reaper ] || fail "there are no completions"
ok "installed, in observe mode, and not started"

systemd-analyze verify --recursive-errors=yes --man=no "$unit" || fail "the unit has faults"
systemd-analyze security --no-pager --threshold=15 "$unit" | tail -n 1
[ "${PIPESTATUS[0]}" = 0 ] || fail "the unit is exposed"
ok "the unit is sound, and its exposure at most 1.5"

# Without a key it says so, and is not tried again and again.
! systemctl start "$unit" 2>/dev/null || fail "it starts without a key"
[ "$(property NRestarts)" = 0 ] || fail "a faulty configuration is tried again"
log | grep --quiet 'api_key_file' || fail "it does not say what is missing"
systemctl reset-failed "$unit"
ok "a missing key is said"

# Against a simulated provider.
systemd-run --quiet --unit=simulated session-reaper simulate --listen 127.0.0.1:9800
until_true curl --silent --max-time 2 http://127.0.0.1:9800/v1/sessions || fail "there is no simulated provider"
install --mode=600 /dev/stdin /etc/session-reaper/keys/main <<<"bb_demo"
sed --in-place 's|^provider = "browserbase".*|provider = "browserbase"\nbase_url = "http://127.0.0.1:9800"\npoll_interval = "1s"|' /etc/session-reaper/config.toml
# A shorter watch than the unit's own, so that nobody waits for a minute.
mkdir -p "/etc/systemd/system/$unit.d"
printf '[Service]\nWatchdogSec=8\n' >"/etc/systemd/system/$unit.d/trial.conf"
systemctl daemon-reload
systemctl start "$unit" || fail "it does not start"
[ "$(property ActiveState)/$(property SubState)" = active/running ] || fail "it is not running"
ok "READY was heard"
until_true answers /readyz || fail "it does not become ready"
until_true says '^observe mode: [0-9]* sessions live in 1 account$' || fail "its status is: $(property StatusText)"
answers /metrics | grep --quiet '^process_start_time_seconds ' || fail "when it was started is not known"
ok "ready, and its status says how it goes"

pid=$(property MainPID)
[ "$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")" -gt 60000 ] || fail "its user is not a passing one"
grep --quiet '^CapEff:	0000000000000000$' "/proc/$pid/status" || fail "it has capabilities"
grep --quiet '^Seccomp:	2$' "/proc/$pid/status" || fail "its calls are not filtered"
[ "$(stat --format=%a /var/lib/private/session-reaper/session-reaper.db)" = 600 ] || fail "its books are open to others"
ok "confined"

# An operator's commands, beside the daemon.
session-reaper pause --reason "trial" >/dev/null || fail "an operator cannot pause it"
until_true says 'main is paused' || fail "the pause did not arrive: $(property StatusText)"
session-reaper resume >/dev/null || fail "an operator cannot resume it"
session-reaper plan --format json | grep --quiet '"verdict"' || fail "an operator cannot see the plan"
[ "$(stat --format=%U:%a /var/lib/private/session-reaper/session-reaper.db)" != root:600 ] || fail "the operator took the books over"
ok "operators are heard"

# A reload: a fault is refused, and what is right is taken over.
cp /etc/session-reaper/config.toml /root/good.toml
sed --in-place 's/^mode = .*/mode = "enfroce"/' /etc/session-reaper/config.toml
! systemctl reload "$unit" 2>/dev/null || fail "a faulty configuration is taken by a reload"
[ "$(property MainPID)" = "$pid" ] || fail "a faulty reload ends it"
sed 's/^mode = .*/mode = "enforce"/' /root/good.toml >/etc/session-reaper/config.toml
systemctl reload "$unit" || fail "it cannot be reloaded"
until_true says '^enforce mode: ' || fail "the reload was not heard: $(property StatusText)"
[ "$(property MainPID)" = "$pid" ] || fail "a reload starts it anew"
ok "reloaded"

# And without being told to.
cp /root/good.toml /etc/session-reaper/config.toml
until_true says '^observe mode: ' || fail "a changed file is not taken over: $(property StatusText)"
ok "a changed file is taken over by itself"

# It hangs: the watchdog ends it, and it is started anew, with its books.
kill -STOP "$pid"
until_true started_anew "$pid" || fail "the watchdog did not end it"
[ "$(property NRestarts)" = 1 ] || fail "it was started anew $(property NRestarts) times"
log | grep --quiet -i 'watchdog' || fail "the journal has no word of the watchdog"
until_true answers /readyz || fail "it does not become ready again"
ok "killed by the watchdog and started anew"

systemctl stop "$unit" || fail "it does not stop"
[ "$(property Result)" = success ] || fail "its stop was $(property Result)"
log | grep --quiet 'drained' || fail "it did not drain"
ok "stopped"
