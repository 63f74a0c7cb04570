# make run    set up and serve the network in the box
#             (make run MODEL=ResNet50 for another, make run OPTIONS="--port 8080", OPTIONS=--help)
# make teach  teach a network classes of your own (make teach DATA=photos OUT=runs/mine)
# make test   set up and run every test
# make lint   format, lint, types, import rules
# make audit  ask what is known against the packages we use (needs the internet)
# make bench  measure this machine (OPTIONS="serve --models ShiwuNet" for one; docs/speed.md)
# make lock   choose the newest versions that the ranges allow

PYTHON ?= python3
MODEL ?=
METHOD ?= bottleneck
VENV := .venv
BIN := $(VENV)/bin
# What has been installed, written down inside the environment that it is in.
SERVING := $(VENV)/.serving
ALL := $(VENV)/.all
DEV := $(VENV)/.dev
# pip-audit stands apart: what it needs is none of ours.
AUDIT := $(VENV)/audit

.PHONY: run teach test lint audit bench lock clean

run: $(if $(MODEL),$(ALL),$(SERVING))
	@$(BIN)/python app.py $(if $(MODEL),--model "$(MODEL)") $(OPTIONS)

teach: $(ALL)
	@$(BIN)/python -m training $(METHOD) --data "$(DATA)" --out "$(OUT)" $(OPTIONS)

test: $(DEV)
	@$(BIN)/python tests/needs.py
	$(BIN)/python -m pytest $(TESTS)

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(AUDIT)/bin/pip-audit
	@$(BIN)/python tests/audit.py $(abspath $<)

bench: $(DEV)
	$(BIN)/python -m benchmarks $(OPTIONS)

lock: $(DEV)
	$(BIN)/python -m pip install -q pip-tools
	$(BIN)/pip-compile -q --strip-extras --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --no-emit-options --upgrade -o requirements.lock requirements-dev.txt

clean:
	rm -rf $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Shiwu needs Python 3.11 or newer; name it: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) && touch $@ || { rm -rf $(VENV); echo "On Debian: apt-get install python3-venv"; exit 1; }

# The lock file holds the versions that the tests ran with.
define install
@echo "Installing $(1) (once) ..."
@$(BIN)/python -m pip install -q --disable-pip-version-check -r $(1) -c requirements.lock
@touch $@
endef

$(AUDIT)/bin/pip-audit: requirements-audit.txt | $(VENV)/.made
	@$(BIN)/python -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

$(SERVING): requirements-serving.txt requirements.lock | $(VENV)/.made
	$(call install,requirements-serving.txt)

$(ALL): requirements.txt requirements-serving.txt requirements.lock | $(VENV)/.made
	$(call install,requirements.txt)

$(DEV): requirements-dev.txt requirements-ray.txt requirements-traces.txt requirements-quantise.txt requirements-batch.txt requirements.txt requirements-serving.txt requirements.lock | $(VENV)/.made
	$(call install,requirements-dev.txt)
