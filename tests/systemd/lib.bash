# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A machine for a .bats file: a whole systemd in a container that sees the host's files, and changes none.
#
#     machine_boot [bare]     from setup_file(): boots it, with minats installed unless it is to be bare
#     machine_need            from setup(): skips where it could not be booted, and says why
#     machine_leave           from teardown_file(): shuts it down
#     machine_show            after a failure, the console and the journal
#     machine_rest            from teardown(): shows what failed, and stops the units
#     machine_tidy            the same, and no drop-in is left
#     machine COMMAND...      runs in it as root, not longer than LIMIT_S
#     machine_write FILE      standard input becomes this file of it
#     machine_install_tool FILE...  programs that the cases run in it, into its PATH
#     machine_await COMMAND...  runs it there until it succeeds
#     machine_talk [LINE...]  LINEs, each with CRLF, to its MACHINE_ADDRESS (127.0.0.1 4222), then the end of
#                             input; all that came back, without CRs, in ANSWER
#     machine_tool NAME.py [ARGUMENT...]  runs tests/tools/NAME.py in it
#     man_block TEXT          the block of the man page with this TEXT, such as a drop-in
#
# Nothing of it can stay behind: its files live in a mount namespace of its own which ends with it, and it
# is told to end when the shell that booted it is gone; only an empty cgroup is left then.
# shellcheck disable=SC2034 # ANSWER is for the cases.

bats_require_minimum_version 1.5.0

MACHINE_ADDRESS=(127.0.0.1 4222)
LIMIT_S=${LIMIT_S:-20}
BOOT_LIMIT_S=${BOOT_LIMIT_S:-60}

fail() {
	printf '%.400s\n' "$*" >&2
	return 1
}

machine_await() {
	local end=$((SECONDS + LIMIT_S))
	until machine "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || fail "the machine waited in vain for: $*" || return
		sleep 0.05
	done
}

# Why there cannot be one, or nothing.
machine_obstacle() {
	local tool
	if ((EUID != 0)); then
		echo 'only root can boot a container'
		return
	fi
	for tool in systemd-nspawn nsenter unshare setsid setpriv ip nc jq make; do
		if ! command -v "$tool" >/dev/null; then
			echo "$tool is missing"
			return
		fi
	done
	if ! unshare --mount true 2>/dev/null; then
		echo 'no mount namespace can be made here'
		return
	fi
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers && ! -d /sys/fs/cgroup/systemd ]]; then
		echo 'no control groups in /sys/fs/cgroup'
		return
	fi
	if ! ldd "$MINATS" 2>/dev/null | grep -q libsystemd; then
		echo "${MINATS##*/} was built without systemd"
	fi
}

# The cgroup of this shell, once for each hierarchy that systemd-nspawn makes use of.
machine_own_cgroups() {
	local id controllers path mount=/sys/fs/cgroup
	while IFS=: read -r id controllers path; do
		if [[ $controllers == name=systemd ]]; then
			echo "$mount/systemd${path%/}"
		elif [[ $id == 0 && -d $mount/unified ]]; then
			echo "$mount/unified${path%/}"
		elif [[ $id == 0 ]]; then
			echo "$mount${path%/}"
		fi
	done </proc/self/cgroup
}

# What `make install` installs goes on top of the host's files.
machine_install() {
	local layer=$1
	# The binary is there, and perhaps it is one with sanitizers: not another one is built.
	env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" -o all BUILD="$(dirname "$MINATS")" \
		DESTDIR="$layer" PREFIX=/usr install >&2
}

machine_settings() {
	local layer=$1
	mkdir -p "$layer/etc/systemd/journald.conf.d"
	# The journal of a machine that is thrown away does not belong on a disk, and none of it may be lost.
	printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >"$layer/etc/systemd/journald.conf.d/test.conf"
}

# Becomes systemd-nspawn, in its own mount namespace.
machine_run() {
	local cgroup
	for cgroup in "${MACHINE_CGROUPS[@]}"; do
		mkdir "$cgroup"
		echo "$BASHPID" >"$cgroup/cgroup.procs"
	done
	export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 MACHINE
	# shellcheck disable=SC2016 # for the inner shell
	# In a session of its own: who kills the whole group of the test would leave the container alone.
	exec setsid setpriv --pdeathsig TERM unshare --mount --propagation private bash -euc '
		mount -t tmpfs minats "$MACHINE/disk"
		cd "$MACHINE/disk"
		mkdir upper work root
		mount -t overlay minats -o lowerdir=/,upperdir=upper,workdir=work root
		# What is enabled on the host stays off in here: one of it might well hold port 4222.
		rm -rf root/etc/systemd/system/*.wants root/etc/systemd/system/*.requires
		# Unlike cp, tar follows the links of a merged /usr.
		tar -C "$MACHINE/layer" -c . | tar -C root -x --keep-directory-symlink
		exec systemd-nspawn --directory=root --boot --register=no --keep-unit --private-network \
			--tmpfs=/tmp --console=read-only --quiet systemd.unit=multi-user.target'
}

# The first process of the container, seen from outside: the child which is number 1 in there.
machine_find_leader() {
	local child key ids
	[[ -d /proc/$MACHINE_PID ]] || return
	for child in $(<"/proc/$MACHINE_PID/task/$MACHINE_PID/children"); do
		while read -r key ids; do
			if [[ $key == NSpid: && $ids == *$'\t1' ]]; then
				MACHINE_LEADER=$child
				return 0
			fi
		done <"/proc/$child/status"
	done
	return 1
}

# "degraded" is a unit of the host's that has no place in a container: not our business.
machine_is_up() {
	local state
	machine_find_leader || return
	state=$(machine systemctl is-system-running 2>/dev/null) || true
	[[ $state == running || $state == degraded ]]
}

# shellcheck disable=SC2120 # some .bats files want a bare one
machine_boot() {
	local end=$((SECONDS + BOOT_LIMIT_S))
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	MINATS=$(realpath "${MINATS:-$ROOT/build/minats}")
	MACHINE_OBSTACLE=$(machine_obstacle)
	export MACHINE_OBSTACLE
	# Not a skip: bats takes one in setup_file() for a failure.
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	MACHINE=$BATS_FILE_TMPDIR/machine
	mkdir -p "$MACHINE/disk" "$MACHINE/layer"
	machine_settings "$MACHINE/layer"
	[[ ${1:-} == bare ]] || machine_install "$MACHINE/layer"
	mapfile -t MACHINE_CGROUPS < <(machine_own_cgroups)
	MACHINE_CGROUPS=("${MACHINE_CGROUPS[@]/%//minats-test-$$}")
	(machine_run) </dev/null >"$MACHINE/console" 2>&1 3>&- 4>&- &
	MACHINE_PID=$!
	until machine_is_up; do
		if ! kill -0 "$MACHINE_PID" 2>/dev/null || ((SECONDS >= end)); then
			machine_show
			fail "the machine did not boot within $BOOT_LIMIT_S s" || return
		fi
		sleep 0.1
	done
	export ROOT MINATS MACHINE MACHINE_PID MACHINE_LEADER
	machine ip link set lo up
	machine systemd-sysusers
	[[ ${1:-} == bare ]] || machine systemd-tmpfiles --create minats.conf
}

machine_need() {
	[[ -z $MACHINE_OBSTACLE ]] || skip "$MACHINE_OBSTACLE"
}

machine_show() {
	echo '--- console'
	tail -n 100 "$MACHINE/console"
	[[ -n ${MACHINE_LEADER:-} ]] || return 0
	echo '--- failed units'
	machine systemctl --failed --no-legend --no-pager || true
	echo '--- journal'
	machine journalctl --boot --no-pager --lines=200 || true
}

machine_rest() {
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || machine_show
	machine systemctl stop minats.socket minats.service
	machine systemctl reset-failed
}

machine_tidy() {
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	machine_rest
	machine rm -rf /etc/systemd/system/minats.service.d /etc/systemd/system/minats.socket.d
	machine systemctl daemon-reload
}

# An orderly shutdown on SIGTERM, and the end of it all if that takes too long.
machine_leave() {
	local cgroup end=$((SECONDS + LIMIT_S))
	[[ -n ${MACHINE_PID:-} ]] || return 0
	kill -TERM "$MACHINE_PID" 2>/dev/null || true
	while kill -0 "$MACHINE_PID" 2>/dev/null; do
		if ((SECONDS >= end)); then
			echo "the machine did not shut down within $LIMIT_S s" >&2
			kill -KILL ${MACHINE_LEADER:+"$MACHINE_LEADER"} "$MACHINE_PID" 2>/dev/null || true
		fi
		sleep 0.05
	done
	wait "$MACHINE_PID" || true
	for cgroup in "${MACHINE_CGROUPS[@]}"; do
		[[ ! -d $cgroup ]] || find "$cgroup" -depth -type d -exec rmdir {} \;
	done
}

machine() {
	timeout "$LIMIT_S" nsenter --target "$MACHINE_LEADER" --mount --uts --ipc --net --pid --cgroup \
		--root --wd -- "$@" 3>&- 4>&-
}

# shellcheck disable=SC2016 # for the inner shell
machine_write() {
	machine sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1"' sh "$1"
}

# The folder they come from may well be one that is not to be seen in there, as /tmp.
machine_install_tool() {
	local file
	for file; do
		machine_write "/usr/local/bin/${file##*/}" <"$file"
		machine chmod +x "/usr/local/bin/${file##*/}"
	done
}

machine_talk() {
	local lines=
	((!$#)) || printf -v lines '%s\r\n' "$@"
	ANSWER=$(printf %s "$lines" | machine nc -N -w 5 "${MACHINE_ADDRESS[@]}" | tr -d '\r')
}

# The sources may lie where the machine has a /tmp of its own.
machine_tool() {
	machine python3 - "${@:2}" <"$ROOT/tests/tools/$1"
}

# What is tested is what the page says.
man_block() {
	awk -v text="$1" '
		/^\.Ed/ { if (index(block, text)) { found++; printf "%s", block } inside = 0 }
		inside { block = block $0 "\n" }
		/^\.Bd -literal/ { inside = 1; block = "" }
		END { exit found != 1 }' "$ROOT/man/minats.8" || fail "not one block of minats(8) has: $1"
}

### What most files do with it; one that wants it otherwise says so behind `load lib.bash`.

# shellcheck disable=SC2119 # not a bare one
setup_file() {
	machine_boot
}

teardown_file() {
	machine_leave
}

setup() {
	machine_need
	machine systemctl start minats.socket
}

teardown() {
	machine_tidy
}
