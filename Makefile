# SPDX-License-Identifier: MIT
#
# What a packager sets, on the command line or in the environment.
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
BUILD ?= build
# systemd | none: who hands over sockets and watches; "none" needs no libsystemd at all.
SUPERVISOR ?= systemd
# What the platform has. These are Linux; the BSDs and macOS say POLLER=kqueue MEMORY=none
# PARCEL=none PROCESS=none CREDENTIALS=peereid (and use GNU make); where accept4(2) is missing ACCEPT=fcntl.
POLLER ?= epoll
ACCEPT ?= flags
CREDENTIALS ?= peercred
MEMORY ?= glibc
PARCEL ?= linux
PROCESS ?= linux
PKG_CONFIG ?= pkg-config

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wundef -Wpointer-arith -Wwrite-strings
WERROR ?=
# takes FLAGS: these, if the compiler makes a program for its machine with them, and says nothing.
takes = $(shell echo 'int main(void) { return 0; }' | $(CC) $(CPPFLAGS) -O2 -Werror $(1) \
	-include string.h -x c -o /dev/null - 2>/dev/null && echo '$(1)')
FORTIFY_3 = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
LINKER_FLAGS = -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
# Asked once, and only if something is built. Control flow: CET on x86, BTI and PAC on arm64.
HARDENED = $(eval HARDENED := -fstack-protector-strong -fPIE \
	$(or $(call takes,$(FORTIFY_3)),$(FORTIFY_3:3=2)) $(call takes,-fstack-clash-protection) \
	$(or $(call takes,-fcf-protection=full),$(call takes,-mbranch-protection=standard)))$(HARDENED)
HARDENED_LINK = $(eval HARDENED_LINK := -pie $(call takes,$(LINKER_FLAGS)))$(HARDENED_LINK)
HARDENING ?= $(HARDENED)
HARDENING_LINK ?= $(HARDENED_LINK)

PACKAGES_systemd = libsystemd
PACKAGES_none =
PACKAGES = jansson $(PACKAGES_$(SUPERVISOR))
PACKAGE_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
PACKAGE_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES))

LOG_systemd = log_journal
LOG_none = log_journal_none

# The house, floor by floor; src/main.c has the map.
BASE = buf map slab tags
PROTO = fault handshake nkey parser subject utf8 writer
BROKER = auth guard memo outbox permit pool router session session_complaints session_subs state \
	sub trie
OS = accept_$(ACCEPT) address capacity clock closer credentials_$(CREDENTIALS) crypto file hasher listener log log_lines \
	$(LOG_$(SUPERVISOR)) loop memory_$(MEMORY) parcel_$(PARCEL) poller_$(POLLER) pressure process_$(PROCESS) random secret signals \
	stream_plain supervisor_$(SUPERVISOR) trial units_$(SUPERVISOR)
SERVER = access accounts budget client client_log client_state config config_auth config_block \
	config_file config_options config_parse config_permit files handover handover_pack handover_unpack idle lame_duck logging options \
	place reload restraint sandbox server settings sockets status strangers thrift turnstile upgrade verdict
SOURCES = src/main.c $(BASE:%=src/base/%.c) $(PROTO:%=src/proto/%.c) \
	$(BROKER:%=src/broker/%.c) $(OS:%=src/os/%.c) $(SERVER:%=src/server/%.c)
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o)

# A unit test, and the modules it needs: all that its module depends on.
UNITS = buf map slab memo tags subject utf8 nkey crypto auth turnstile strangers restraint fault parser writer \
	handshake pool outbox trie router permit guard session session_held session_ended \
	state cuts scarcity \
	loop address options config \
	log verdict status capacity \
	$(UNITS_$(SUPERVISOR)) \
	$(UNITS_$(PARCEL))
UNITS_linux = handover access
UNITS_systemd = units
UNIT_buf = base/buf
UNIT_map = base/map
UNIT_slab = base/slab
UNIT_tags = base/tags base/buf
UNIT_subject = proto/subject
UNIT_utf8 = proto/utf8
UNIT_nkey = proto/nkey
UNIT_crypto = os/crypto
UNIT_strangers = server/strangers server/place $(UNIT_address) base/map
UNIT_turnstile = server/turnstile server/place $(UNIT_address) base/map
UNIT_restraint = server/restraint
UNIT_auth = broker/auth $(UNIT_permit) base/map base/buf proto/nkey $(UNIT_handshake)
UNIT_fault = proto/fault
UNIT_parser = proto/parser
UNIT_writer = proto/writer proto/utf8 base/buf
UNIT_handshake = proto/handshake $(UNIT_writer)
UNIT_pool = broker/pool
UNIT_outbox = broker/outbox broker/pool
UNIT_trie = broker/trie broker/sub proto/subject base/map base/slab
UNIT_permit = broker/permit proto/subject
UNIT_router = broker/router broker/memo broker/outbox broker/pool broker/guard broker/permit $(UNIT_trie) \
	$(UNIT_writer) proto/parser proto/fault
UNIT_memo = broker/memo $(UNIT_trie) proto/parser proto/fault base/buf
UNIT_guard = $(UNIT_router)
SESSION = broker/session broker/session_complaints broker/session_subs
PURE = $(SESSION) $(UNIT_router) proto/handshake
UNIT_session = $(PURE) broker/state base/tags
UNIT_session_held = $(UNIT_session)
UNIT_session_ended = $(UNIT_session)
UNIT_state = $(UNIT_session)
UNIT_cuts = $(PURE)
UNIT_scarcity = $(UNIT_session) broker/auth proto/nkey
LINK_scarcity = $(addprefix -Wl$(COMMA)--wrap=,malloc calloc realloc aligned_alloc \
	posix_memalign free strdup strndup)
COMMA = ,
UNIT_loop = os/loop os/poller_$(POLLER) os/clock
UNIT_address = os/address os/credentials_$(CREDENTIALS)
UNIT_options = server/options os/address os/secret base/buf proto/utf8 $(UNIT_auth)
UNIT_config = server/config server/config_parse base/buf
UNIT_log = os/log os/log_lines os/clock
# The whole broker, with a clock of the test's own.
UNIT_handover = $(filter-out main os/clock,$(SOURCES:src/%.c=%))
UNIT_access = $(filter-out main,$(SOURCES:src/%.c=%))
UNIT_capacity = os/capacity
UNIT_verdict = server/verdict os/file os/clock base/buf
UNIT_status = server/status server/accounts os/random $(sort $(UNIT_options) $(UNIT_router) $(UNIT_loop))
UNIT_units = os/units_systemd os/credentials_$(CREDENTIALS) $(UNIT_loop)

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(WERROR) $(HARDENING) -Isrc -MMD -MP \
	$(PACKAGE_CFLAGS) $(CPPFLAGS) $(CFLAGS)
# Where dlopen(3) is the C library's own there is an empty libdl, or none.
LIBDL ?= -ldl
ALL_LIBS = $(PACKAGE_LIBS) -pthread $(LIBDL) $(LDLIBS)

UNIT_DIR_systemd = $(shell $(PKG_CONFIG) --variable=systemdsystemunitdir systemd)
SYSTEM_UNIT_DIR ?= $(or $(UNIT_DIR_systemd),/lib/systemd/system)
SYSUSERS_DIR_systemd = $(shell $(PKG_CONFIG) --variable=sysusersdir systemd)
SYSUSERS_DIR ?= $(or $(SYSUSERS_DIR_systemd),/usr/lib/sysusers.d)
TMPFILES_DIR_systemd = $(shell $(PKG_CONFIG) --variable=tmpfilesdir systemd)
TMPFILES_DIR ?= $(or $(TMPFILES_DIR_systemd),/usr/lib/tmpfiles.d)
CATALOG_DIR_systemd = $(shell $(PKG_CONFIG) --variable=catalogdir systemd)
CATALOG_DIR ?= $(or $(CATALOG_DIR_systemd),/usr/lib/systemd/catalog)
BINDIR = $(PREFIX)/bin
MAN5DIR = $(PREFIX)/share/man/man5
MAN7DIR = $(PREFIX)/share/man/man7
MAN8DIR = $(PREFIX)/share/man/man8
CONFDIR = $(SYSCONFDIR)/minats

all: $(BUILD)/minats

$(BUILD)/minats: $(OBJECTS) $(BUILD)/flags
	$(CC) $(CFLAGS) $(HARDENING_LINK) $(LDFLAGS) -o $@ $(OBJECTS) $(ALL_LIBS)

# What is built knows the flags and the files it was made of: others make it anew.
CONFIGURATION = $(CC) $(ALL_CFLAGS) $(HARDENING_LINK) $(LDFLAGS) $(ALL_LIBS) $(FUZZ_FLAGS) \
	$(OBJECTS)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CONFIGURATION)' | cmp -s - $@ || echo '$(CONFIGURATION)' > $@

define link_unit
$$(BUILD)/tests/unit/$(1): $$(BUILD)/tests/unit/$(1).o $$(UNIT_$(1):%=$$(BUILD)/src/%.o)
	$$(CC) $$(CFLAGS) $$(HARDENING_LINK) $$(LDFLAGS) $$(LINK_$(1)) -o $$@ $$^ $$(ALL_LIBS)
endef
$(foreach unit,$(UNITS),$(eval $(call link_unit,$(unit))))

units: $(UNITS:%=$(BUILD)/tests/unit/%)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(CC) $(CFLAGS) $(HARDENING_LINK) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(BUILD)/tests/bench/path: $(UNIT_session:%=$(BUILD)/src/%.o)

# Fuzzers, by clang's libFuzzer; corpora are in tests/fuzz/corpus, words in tests/fuzz/NAME.dict.
FUZZERS = parser connect config nkey permit trie broker delivery state parcel
FUZZ_parser = $(UNIT_parser) proto/fault
FUZZ_connect = $(UNIT_handshake)
FUZZ_config = $(UNIT_config) server/settings server/config_auth server/config_block \
	server/config_options server/config_permit $(UNIT_permit) $(UNIT_options) os/random \
	os/credentials_$(CREDENTIALS)
FUZZ_nkey = $(UNIT_nkey) os/crypto
FUZZ_permit = $(UNIT_permit)
FUZZ_trie = $(UNIT_trie)
FUZZ_broker = $(UNIT_session)
FUZZ_delivery = $(UNIT_session)
FUZZ_state = $(UNIT_state)
# The whole broker, but for what the fuzzer plays itself.
FUZZ_parcel = $(filter-out main os/clock os/signals os/parcel_$(PARCEL),$(SOURCES:src/%.c=%))
FUZZ_SECONDS ?= 60
FUZZ_FLAGS ?= -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

$(BUILD)/fuzz/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	clang -std=gnu11 -D_GNU_SOURCE $(FUZZ_FLAGS) $(WARNINGS) $(WERROR) -Isrc -MMD -MP \
		$(PACKAGE_CFLAGS) -c -o $@ $<

define link_fuzzer
$$(BUILD)/tests/fuzz/$(1): $$(BUILD)/fuzz/tests/fuzz/$(1).o $$(FUZZ_$(1):%=$$(BUILD)/fuzz/src/%.o)
	@mkdir -p $$(@D)
	clang $$(FUZZ_FLAGS) -o $$@ $$(sort $$^) $$(ALL_LIBS)
endef
$(foreach fuzzer,$(FUZZERS),$(eval $(call link_fuzzer,$(fuzzer))))

fuzzers: $(FUZZERS:%=$(BUILD)/tests/fuzz/%)

list-fuzzers:
	@echo $(FUZZERS)

fuzz: fuzzers
	BUILD=$(BUILD) tests/fuzz/run $(FUZZ_SECONDS) $(FUZZERS)

# What they found goes into the corpora, as little of it as reaches as much.
corpus: fuzzers
	BUILD=$(BUILD) tests/fuzz/merge $(FUZZERS)

# Builds what it counts itself, with flags of its own.
coverage:
	tests/coverage

# Preloaded: tools/countalloc.c counts the broker's allocations, tools/fail.c makes its calls fail,
# tools/crash.c ends it while it is handed connections, handover/premain.c counts the time to READY=1,
# soak/leak.c leaks.
$(BUILD)/tests/%.so: tests/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(WERROR) -O2 -shared -fPIC -o $@ $< -ldl

$(BUILD)/tests/handover/%: $(BUILD)/tests/handover/%.o
	$(CC) $(CFLAGS) $(HARDENING_LINK) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

# What stands through restarts of the broker, and what is measured beside it.
HANDOVER_systemd = stub launch premain.so
HANDOVER = crowd $(HANDOVER_$(SUPERVISOR))

# The program of a later version, and one whose states this one does not understand.
NEXT_DEFINES = -DHANDOVER_VERSION=2
FAR_DEFINES = -DHANDOVER_VERSION=2 -DHANDOVER_READABLE_FROM=2
VERSIONED = handover_pack handover_unpack
define link_version
$$(BUILD)/tests/versions/$(1)/%.o: src/server/%.c $$(BUILD)/flags
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$($(2)_DEFINES) -c -o $$@ $$<

$$(BUILD)/tests/versions/$(1)/minats: $$(VERSIONED:%=$$(BUILD)/tests/versions/$(1)/%.o) \
		$$(filter-out $$(VERSIONED:%=$$(BUILD)/src/server/%.o),$$(OBJECTS))
	$$(CC) $$(CFLAGS) $$(HARDENING_LINK) $$(LDFLAGS) -o $$@ $$^ $$(ALL_LIBS)
endef
$(eval $(call link_version,next,NEXT))
$(eval $(call link_version,far,FAR))

TOOLS = tools/countalloc.so tools/fail.so tools/crash.so soak/leak.so versions/next/minats \
	versions/far/minats
tools: $(TOOLS:%=$(BUILD)/tests/%) $(HANDOVER:%=$(BUILD)/tests/handover/%)

# For tests/portable.sh and tests/run: what this configuration compiles, and the unit tests.
sources:
	@echo $(SOURCES)

list-units:
	@echo $(UNITS)

run: all
	$(BUILD)/minats

# Floors, unit tests and the daemon's promises; tests/run has the whole suite.
check: all units tools
	tests/run check

bench: all $(BUILD)/tests/bench/load $(BUILD)/tests/bench/relay
	tests/bench/run

bench-growth: all $(BUILD)/tests/bench/load $(BUILD)/tests/bench/relay
	tests/bench/growth

# Builds what it counts itself, with flags of its own.
gate:
	tests/bench/gate

# Every call fails once, in sessions of each kind.
failures: all tools
	tests/failures/run

# Other compilers, other machines, other eyes.
matrix:
	tests/matrix/run

# What the gate has no time for.
night:
	.ci/night

lint:
	mandoc -Tlint -Wwarning man/minats.8 man/minats.conf.5 man/minats-guarantees.7
	shellcheck -x $$(grep -rlE '^#!/bin/(ba)?sh' .ci packaging tests) tests/*.bash tests/*/*.bash \
		packaging/arch/PKGBUILD

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MAN8DIR) $(DESTDIR)$(MAN7DIR) \
		$(DESTDIR)$(MAN5DIR) $(DESTDIR)$(CONFDIR)
	install -m755 $(BUILD)/minats $(DESTDIR)$(BINDIR)/minats
	install -m644 man/minats.8 $(DESTDIR)$(MAN8DIR)/minats.8
	install -m644 man/minats.conf.5 $(DESTDIR)$(MAN5DIR)/minats.conf.5
	install -m644 man/minats-guarantees.7 $(DESTDIR)$(MAN7DIR)/minats-guarantees.7
	[ -e $(DESTDIR)$(CONFDIR)/minats.conf ] || \
		install -m644 systemd/minats.conf.example $(DESTDIR)$(CONFDIR)/minats.conf
ifeq ($(SUPERVISOR),systemd)
	install -d $(DESTDIR)$(SYSTEM_UNIT_DIR) $(DESTDIR)$(SYSUSERS_DIR) \
		$(DESTDIR)$(TMPFILES_DIR) $(DESTDIR)$(CATALOG_DIR)
	install -m644 systemd/minats.socket $(DESTDIR)$(SYSTEM_UNIT_DIR)/minats.socket
	sed 's|@BINDIR@|$(BINDIR)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|' systemd/minats.service.in | \
		install -m644 /dev/stdin $(DESTDIR)$(SYSTEM_UNIT_DIR)/minats.service
	install -m644 systemd/minats.sysusers $(DESTDIR)$(SYSUSERS_DIR)/minats.conf
	sed 's|/etc|$(SYSCONFDIR)|' systemd/minats.tmpfiles | \
		install -m644 /dev/stdin $(DESTDIR)$(TMPFILES_DIR)/minats.conf
	install -m644 systemd/minats.catalog $(DESTDIR)$(CATALOG_DIR)/minats.catalog
endif

# A configuration that somebody has changed stays.
uninstall:
	! cmp -s systemd/minats.conf.example $(DESTDIR)$(CONFDIR)/minats.conf || \
		rm -f $(DESTDIR)$(CONFDIR)/minats.conf
	rmdir $(DESTDIR)$(CONFDIR) 2>/dev/null || true
	rm -f $(DESTDIR)$(BINDIR)/minats $(DESTDIR)$(MAN8DIR)/minats.8 \
		$(DESTDIR)$(MAN5DIR)/minats.conf.5 \
		$(DESTDIR)$(MAN7DIR)/minats-guarantees.7 \
		$(DESTDIR)$(TMPFILES_DIR)/minats.conf \
		$(DESTDIR)$(SYSTEM_UNIT_DIR)/minats.socket \
		$(DESTDIR)$(SYSTEM_UNIT_DIR)/minats.service \
		$(DESTDIR)$(SYSUSERS_DIR)/minats.conf \
		$(DESTDIR)$(CATALOG_DIR)/minats.catalog

VERSION = $(shell sed -n 's/^\#define VERSION "\(.*\)"$$/\1/p' src/server/version.h)
# When these sources were made: git knows it, and in an unpacked tarball each file.
SOURCE_DATE_EPOCH ?= $(shell [ -e .git ] && git log -1 --format=%ct 2>/dev/null || stat -c %Y NEWS)
DIST = $(BUILD)/minats-$(VERSION)
# What git knows; where there is none, or it does not trust whose files these are, all that was not built.
LIST_FILES = { [ -e .git ] && git ls-files 2>/dev/null || find . -type f ! -path './build*' \
	! -path './debian/*' ! -path './.git' ! -path './.git/*' ! -path '*/__pycache__/*'; }
DATE = TZ=UTC LC_ALL=C date -d @$(SOURCE_DATE_EPOCH)

# The same bytes wherever and whenever it is made. In there the packages know their version and date.
dist:
	rm -rf $(DIST)
	mkdir -p $(DIST)
	$(LIST_FILES) | tar -c -T - | tar -C $(DIST) -x
	sed -i -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$($(DATE) -R)/" \
		-e "s/@DAY@/$$($(DATE) '+%a %b %d %Y')/" $(DIST)/packaging/debian/changelog \
		$(DIST)/packaging/minats.spec $(DIST)/packaging/arch/PKGBUILD
	tar -C $(BUILD) --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX --mtime=@$(SOURCE_DATE_EPOCH) -c minats-$(VERSION) | \
		gzip -9n > $(DIST).tar.gz
	rm -rf $(DIST)

# In a copy debian/ stands where Debian's tools look for it. Flags come from them: none of ours goes along.
deb: dist
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb
	tar -C $(BUILD)/deb -xzf $(DIST).tar.gz
	mv $(BUILD)/deb/minats-$(VERSION)/packaging/debian $(BUILD)/deb/minats-$(VERSION)
	cd $(BUILD)/deb/minats-$(VERSION) && \
		env -i PATH="$$PATH" HOME="$$HOME" DEB_BUILD_OPTIONS="$$DEB_BUILD_OPTIONS" \
			DEB_CPPFLAGS_APPEND="$$DEB_CPPFLAGS_APPEND" dpkg-buildpackage -us -uc

clean:
	rm -rf $(BUILD)

help:
	@echo 'all (the default)  build $(BUILD)/minats'
	@echo 'run                build it and run it on port 4222'
	@echo 'check              floors, unit tests, and every promise to a user (bats)'
	@echo 'bench              compare it with nats-server and a relay: medians, targets'
	@echo 'bench-growth       curves: many subscriptions, receivers, connections'
	@echo 'gate               fail if a message costs more instructions than it did'
	@echo 'fuzz               every fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS), two at a time'
	@echo 'corpus             add to the corpora what fuzzers found'
	@echo 'coverage           lines and branches of proto and broker that tests reach'
	@echo 'failures           every call of the broker fails once: nobody else is hurt'
	@echo 'matrix             32 bits, big endian, musl, no supervisor, valgrind, ThreadSanitizer, static analysis'
	@echo 'night              the long ones of all these, and the gate on a brand-new machine: five and a half hours, as root'
	@echo 'lint               man page and shell scripts'
	@echo 'install, uninstall with PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'dist               $(DIST).tar.gz, for whoever makes a package'
	@echo 'deb                a Debian package in $(BUILD)/deb'
	@echo 'clean              remove $(BUILD)/'
	@echo 'tests/run          the whole suite, as CI runs it'

.PHONY: all units tools sources list-units run check bench bench-growth gate fuzzers list-fuzzers \
	fuzz corpus coverage failures matrix night lint install uninstall dist deb clean help FORCE
.DELETE_ON_ERROR:

-include $(OBJECTS:.o=.d) $(wildcard $(BUILD)/tests/*/*.d $(BUILD)/tests/versions/*/*.d \
	$(BUILD)/fuzz/*/*/*.d)
