#!/usr/bin/env bash
# Installs what the tests run against and pip cannot bring: PostgreSQL 15 or later, PgBouncer,
# FUSE 3, strace, SQLsmith, hledger and ledger, and Java 17 or later for Spark, from Debian's packages. Needs root
# or sudo, and only when something is missing.
set -euo pipefail

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # pgbouncer is in a folder that few users' PATH has

have() { command -v "$1" >/dev/null; }

# Debian keeps initdb and postgres out of PATH so that versions can stand side by side. They are
# looked for as tests/servers.py looks for them: two different answers would install for nothing.
have_postgres() {
    local initdb version
    for initdb in /usr/lib/postgresql/*/bin/initdb "$(command -v initdb || true)"; do
        [[ -x $initdb && -x ${initdb%/*}/postgres ]] || continue
        version=$("$initdb" --version)
        [[ $version =~ ([0-9]+) && ${BASH_REMATCH[1]} -ge 15 ]] && return
    done
    return 1
}

# Spark 4 runs on Java 17 and later. Debian names its package by the version, so it is the oldest that will do.
have_java() {
    local java=java version
    [[ -z ${JAVA_HOME:-} ]] || java=$JAVA_HOME/bin/java
    have "$java" || return 1
    version=$("$java" -version 2>&1)
    [[ $version =~ version\ \"([0-9]+) && ${BASH_REMATCH[1]} -ge 17 ]]
}

look() {
    missing=()
    have_postgres || missing+=(postgresql)
    have pgbouncer || missing+=(pgbouncer)
    have fusermount3 || missing+=(fuse3)
    have strace || missing+=(strace)
    have sqlsmith || missing+=(sqlsmith)
    have hledger || missing+=(hledger)
    have ledger || missing+=(ledger)
    have_java || missing+=(openjdk-17-jre-headless)
}

by_hand() {
    echo "$1" >&2
    echo "Install by hand, then repeat: ${missing[*]} (PostgreSQL must be 15 or later, Java 17)." >&2
    echo "On Debian 12: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
}

look
[[ ${#missing[@]} -gt 0 ]] || exit 0
have apt-get || by_hand "apt-get is not here, so nothing was installed."
if [[ $EUID -ne 0 ]]; then
    have sudo || by_hand "Neither root nor sudo, so nothing was installed."
    echo "Installing with sudo, or install by hand: ${missing[*]}" >&2
    exec sudo -- "$BASH" "$0"
fi

# The server's package makes a cluster and starts it, at every boot from then on. Ours are private
# ones, so that cluster would only take memory and port 5432. The drop-in goes away again: what the
# owner of the machine installs later is theirs to decide. (A policy-rc.d would stop the start of
# today and not that of the next boot; and left behind by an interrupted run it stops all services.)
drop_in=/etc/postgresql-common/createcluster.d/prakerja-ledger-tests.conf
cleanup() {
    rm -f "$drop_in"
    rmdir --ignore-fail-on-non-empty "${drop_in%/*}" 2>/dev/null || true
}
trap cleanup EXIT
mkdir -p "${drop_in%/*}"
echo "create_main_cluster = false" >"$drop_in"

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update || by_hand "apt-get update failed."
apt-get -qq -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends "${missing[@]}" >/dev/null ||
    by_hand "apt-get install failed."

# PgBouncer's package has no such switch. Only a service that came with this very run is put away.
if [[ " ${missing[*]} " == *" pgbouncer "* ]]; then
    update-rc.d pgbouncer disable
    service pgbouncer stop >/dev/null || true # where nothing may be started there is nothing to stop
fi

look
[[ ${#missing[@]} -eq 0 ]] || by_hand "apt-get installed no usable ${missing[*]}."
