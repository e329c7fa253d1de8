PYTHON ?= python3

.PHONY: help build test test-debug check bench sums fuzz reproducible

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

build:  ## install in place, with everything that working on it takes
	$(PYTHON) -m pip install -e ".[cpu,em,crystal,test,dev]"

test:  ## run the tests
	$(PYTHON) -m pytest

test-debug:  ## run the tests on kernels that check every index, then build the fast ones again
	TEMCLEAN_DEBUG=1 $(PYTHON) setup.py -q build_ext --inplace --force
	$(PYTHON) -m pytest; status=$$?; $(PYTHON) setup.py -q build_ext --inplace --force; exit $$status

check:  ## lint, check the format and the types
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	cython-lint ext
	$(PYTHON) -m mypy

bench:  ## measure against the peers (needs the extra `bench`)
	for script in tests/bench/bench_*.py; do $(PYTHON) $$script || exit 1; done

sums:  ## note the SHA-256 of the models, after one was added or replaced
	cd weights && LC_ALL=C sha256sum *.onnx > SHA256SUMS

reproducible:  ## build the sdist and the wheel twice, and show that they are the same byte for byte
	PYTHON=$(PYTHON) .ci/reproducible

fuzz:  ## open 10,000 damaged files, then for an hour those that reach new code (with atheris)
	$(PYTHON) tests/fuzz.py
	$(PYTHON) tests/fuzz_guided.py
