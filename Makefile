# The two commands: `make demo` and `make test`. Both set everything up first.
TEST_CONFIGURATION ?= debug
SWIFT ?= swift
CLANG_FORMAT ?= clang-format
PRODUCT ?= atrous
C_SOURCES = $(shell find Sources Tests -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.inc')

.PHONY: help setup build demo imaging test benchmarks wheel dist docs api lint format clean

help:
	@echo "make demo    set up, build, and go from generated street scenes to a score"
	@echo "make test    set up and run the tests"
	@echo "make build   set up and build the release version of the command, or of another PRODUCT="
	@echo "make setup   fetch libtorch and install missing system libraries"
	@echo "make benchmarks  time everything beside its peers; BENCHMARKS= takes options"
	@echo "make wheel   build a wheel of the command and the Python module into out/wheel"
	@echo "make dist    build an archive that needs neither Swift nor Python into out/dist"
	@echo "make docs    build the documentation into out/docs, after make test with the reference"
	@echo "make api     write the listing of the public API, docs/api, after make test"
	@echo "make lint    check the format of all sources"
	@echo "make format  format all sources"
	@echo "make clean   remove what was built; keeps libtorch"

setup:
	@Scripts/setup

# What debuggers read takes the compiler a fourteenth of its time; `swift build -c release` has it.
release = $(SWIFT) build -c release -debug-info-format none
build: setup
	$(release) --product $(PRODUCT)

# The demo has no use for the service, whose dependencies take the compiler long; where it was built, it stays.
# SwiftPM takes modules in the order of their names, the last first, and all C++ that is ready after them. So that both
# cores have work, Imaging is compiled while libtorch is on its way, and what only the command needs comes last.
demo_build = $(if $(wildcard .build/release/Modules/Serving.swiftmodule),,ATROUS_WITHOUT_SERVING=1) $(release)
demo:
	@Scripts/setup --libraries
	@$(MAKE) --no-print-directory -j 2 setup imaging
	$(demo_build) --target Evaluation
	$(demo_build) --product atrous
	@Scripts/demo

imaging:
	$(demo_build) --target Imaging

test: setup
	$(SWIFT) build --build-tests -c $(TEST_CONFIGURATION)
	$(SWIFT) test -c $(TEST_CONFIGURATION) --skip-build --disable-xctest

benchmarks: build
	Benchmarks/run.py --report out/benchmarks.md $(BENCHMARKS)

wheel: setup
	@Scripts/wheel

dist: setup
	@Scripts/dist

docs:
	@Scripts/docs

api:
	@Scripts/api

# Other versions format otherwise.
with_clang_format = if ! $(CLANG_FORMAT) --version 2>/dev/null | grep -q 'version 19\.'; then \
	  echo "C and C++ left out: no clang-format 19 here (pip install clang-format==19.1.7)"; exit 0; \
	fi; $(CLANG_FORMAT)

lint:
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests Weights Examples/Sources Examples/Tests Package.swift Examples/Package.swift
	@Scripts/lint-tests
	@$(with_clang_format) --dry-run -Werror $(C_SOURCES)

format:
	$(SWIFT) format --in-place --parallel --recursive Sources Tests Weights Examples/Sources Examples/Tests Package.swift Examples/Package.swift
	@$(with_clang_format) -i $(C_SOURCES)

clean:
	rm -rf .build out
