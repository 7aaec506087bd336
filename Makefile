# Thin: each target installs what it needs, then leaves the work to meson and ninja.
BUILD := build
SLIPWAY := $(BUILD)/src/cli/slipway
PACKAGES := $(shell cat packages.txt)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PREFIX ?= /usr/local

.PHONY: all check demo demo-stop install uninstall format clean asan fuzz bench packages

all: $(SLIPWAY)

# Asks dpkg once; nothing is fetched when all is there.
packages:
	@missing=$$(dpkg-query -W -f '$${Package} $${Status}\n' $(PACKAGES) 2>/dev/null \
	    | awk '/ install ok installed$$/ {print $$1}' | sort > /tmp/slipway-have.$$$$; \
	    sort packages.txt | comm -23 - /tmp/slipway-have.$$$$; rm -f /tmp/slipway-have.$$$$); \
	if [ -n "$$missing" ]; then \
	    echo "installing:" $$missing; \
	    $(SUDO) apt-get update -qq && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	fi

$(BUILD)/build.ninja: | packages
	meson setup $(BUILD) --prefix=$(PREFIX) >/dev/null

.PHONY: $(SLIPWAY)
$(SLIPWAY): packages $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

check: $(SLIPWAY)
	@tests/run_all.sh $(BUILD)

demo: $(SLIPWAY)
	@examples/demo.sh $(abspath $(SLIPWAY))

demo-stop:
	@examples/demo.sh --stop $(abspath $(SLIPWAY))

install: $(SLIPWAY)
	$(SUDO) meson install -C $(BUILD) --no-rebuild

uninstall:
	$(SUDO) ninja -C $(BUILD) uninstall

format:
	clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]')

asan: packages
	[ -d build-asan ] || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false
	tests/run_all.sh build-asan unit

fuzz: packages
	tests/fuzz/run.sh

bench: $(SLIPWAY)
	bench/run.sh $(abspath $(SLIPWAY))

clean:
	rm -rf build build-asan build-fuzz
