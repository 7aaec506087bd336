# Thin: each target installs what it needs, then leaves the work to meson and ninja.
BUILD := build
SLIPWAY := $(BUILD)/src/cli/slipway
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PREFIX ?= /usr/local

.PHONY: all check demo demo-stop install uninstall format clean asan fuzz bench packages packages-dev

all: $(SLIPWAY)

# Asks dpkg once; nothing is fetched when all is there.
packages:
	@tools/install_packages.sh "$(SUDO)" packages.txt

packages-dev:
	@tools/install_packages.sh "$(SUDO)" packages.txt packages-dev.txt

$(BUILD)/build.ninja: | packages
	meson setup $(BUILD) --prefix=$(PREFIX) >/dev/null

.PHONY: $(SLIPWAY)
$(SLIPWAY): packages $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

check: $(SLIPWAY)
	@tests/run_all.sh $(BUILD)

demo: $(SLIPWAY)
	@$(SUDO) examples/demo.sh $(abspath $(SLIPWAY))

demo-stop:
	@$(SUDO) examples/demo.sh --stop $(abspath $(SLIPWAY))

install: $(SLIPWAY)
	$(SUDO) meson install -C $(BUILD) --no-rebuild

uninstall:
	$(SUDO) ninja -C $(BUILD) uninstall

format: packages-dev
	clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]')

asan: packages
	@[ -d build-asan ] || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build-asan --quiet
	@tests/run_all.sh build-asan unit

# FUZZ_SECONDS for each target.
fuzz: packages-dev
	@tests/fuzz/run.sh

bench: $(SLIPWAY)
	@ninja -C $(BUILD) --quiet bench/sandbox_start bench/proxy_front
	@bench/run.sh $(BUILD)

clean:
	rm -rf build build-asan build-fuzz
