# Verbs over the CMake presets of CMakePresets.json; everything is built below build/.
PREFIX ?= /usr/local
SECS   ?= 60
JOBS   := $(shell nproc 2>/dev/null || echo 2)
# Tests run side by side: threads that wait must not burn the other tests' cores.
CTEST  := OMP_WAIT_POLICY=passive ctest --output-on-failure --no-tests=error -j $(JOBS)

.PHONY: help deps build demo test asan tsan clang fuzz lint format bench cov install clean

help:
	@echo 'make build            the program, at build/mdf'
	@echo 'make demo [DATA=dir]  train, evaluate and explain on phantoms, or on your own folder'
	@echo 'make test             build and run every test'
	@echo 'make asan | tsan      the tests under AddressSanitizer + UBSan, or ThreadSanitizer'
	@echo 'make clang            the tests, built with clang'
	@echo 'make fuzz [SECS=60]   fuzz every parser for that long'
	@echo 'make lint | format    check the style, or apply it'
	@echo 'make bench            measure speed'
	@echo 'make cov              test coverage by file'
	@echo 'make install [PREFIX=/usr/local]'
	@echo 'make deps             install missing Debian packages (the others do it by themselves)'
	@echo 'make clean            remove build/'

deps:
	@scripts/install-deps.sh build

build: deps
	cmake --preset release
	cmake --build build --target mdf_cli
	@echo 'built build/mdf'

demo: build
	scripts/demo.sh build/mdf $(DATA)

test: deps
	cmake --preset release
	cmake --build build
	$(CTEST) --test-dir build

asan: deps
	cmake --preset asan
	cmake --build build/asan
	LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 $(CTEST) --test-dir build/asan

# ThreadSanitizer cannot see libgomp's synchronisation, so compute has one thread here; the threads
# of the loader and the server are what is checked.
tsan: deps
	cmake --preset tsan
	cmake --build build/tsan
	OMP_NUM_THREADS=1 OMP_THREAD_LIMIT=1 TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp \
		$(CTEST) --test-dir build/tsan

clang: deps
	@scripts/install-deps.sh clang
	cmake --preset clang
	cmake --build build/clang
	$(CTEST) --test-dir build/clang

fuzz: deps
	@scripts/install-deps.sh clang
	cmake --preset fuzz
	cmake --build build/fuzz
	scripts/fuzz.sh build/fuzz $(SECS)

lint: deps
	@scripts/install-deps.sh lint
	scripts/lint.sh

format:
	@scripts/install-deps.sh lint
	git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

bench: build
	build/mdf bench

cov: deps
	@scripts/install-deps.sh cov
	cmake --preset release -B build/cov -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=--coverage
	cmake --build build/cov
	$(CTEST) --test-dir build/cov
	gcovr --root . --filter src/ --filter apps/ --object-directory build/cov --print-summary

install: build
	cmake --build build
	cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build
