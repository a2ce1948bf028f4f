# Developer and demo commands. Everything but python3 (>= 3.11) is installed into .venv by the first target run.
# A distribution builds its Python with profile-guided optimisation, which those that were compiled on the machine mostly
# lack: the same program takes a quarter less processor time.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The embedded engine in Rust, for whoever has cargo; it takes over the files of the one in Python. It builds with older
# compilers than it declares.
ENGINE := secantus-mdb --version 0.5.3-beta.196 --locked --ignore-rust-version

.PHONY: demo test fuzz serve engine bench lint clean help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned dependencies into $(VENV) ..."
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev]'
	@touch $(STAMP)

demo: $(STAMP)  ## play the whole story: three hospitals, two gateways, referral, teleconsultation, crash
	@$(BIN)/fhir-gateway demo

test: $(STAMP)  ## lint, types, tests
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -n auto

fuzz: $(STAMP)  ## requests made up from the OpenAPI document, 100 for each address and method
	@FHIR_GATEWAY_FUZZ_CASES=100 $(BIN)/pytest -n 0 tests/test_openapi.py

serve: $(STAMP)  ## start the province gateway on the embedded database; says where things are
	@$(BIN)/fhir-gateway serve --mllp 127.0.0.1:2575 --log-format text

engine: $(BIN)/secantusd-rs  ## build the faster embedded engine (needs cargo, cmake and ten minutes, once)

$(BIN)/secantusd-rs: | $(STAMP)
	@echo "building the embedded engine in Rust; some ten minutes ..."
	@cargo install $(ENGINE) --quiet --root $(VENV)

bench: $(STAMP) $(if $(shell command -v cargo),engine)  ## measure; prints JSON
	@$(BIN)/python -m bench

lint: $(STAMP)  ## ruff and mypy only
	@$(BIN)/ruff check .
	@$(BIN)/mypy

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
