PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
DATA ?= data
RENDERS ?= build/parts

BIN := $(VENV)/bin
PINS := requirements.txt constraints.txt
SOURCES := magic_ui tests $(wildcard app.py benchmarks examples)

# Two workers with one thread each are faster on two cores than one worker with two threads.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test check lint types imports format place clean

demo: $(VENV)/.installed  ## install what the page needs and open it
	env -u OMP_NUM_THREADS $(BIN)/python app.py

test: $(VENV)/.installed-dev $(VENV)/.browser check  ## install everything, then every check

check: lint types imports
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.installed-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports --no-cache --no-logo

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

place: $(VENV)/.installed-dev  ## how well places are found: DATA=folder of DS-MVTec/, foreground/; rendered truth is made once
	$(BIN)/python -m magic_ui render --kind parts --output $(RENDERS) --count 36 --seed 4242 --size 512 --spp 16 \
		--categories gear,leather,screw,metal_nut,washer,capsule
	$(BIN)/python -W ignore benchmarks/parts.py $(RENDERS)
	$(BIN)/python -W ignore benchmarks/localisation.py $(DATA)/DS-MVTec/screw --foreground $(DATA)/foreground/screw \
		--third 2 --sources auto,band,clipseg
	$(BIN)/python -W ignore benchmarks/alignment.py $(DATA)/DS-MVTec/screw --foreground $(DATA)/foreground/screw \
		--third 2 | tail -6

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find magic_ui tests -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f $(VENV)/.installed $(VENV)/.installed-dev $(VENV)/.browser

$(BIN)/python:
	$(PYTHON) -c "import ensurepip" 2>/dev/null || .ci/system venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(PINS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt -c constraints.txt
	touch $@

$(VENV)/.installed-dev: $(PINS) pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,train,render,metrics,segment,ray]"
	touch $@

$(VENV)/.browser: | $(VENV)/.installed-dev
	BIN=$(BIN) .ci/system browser
	touch $@
