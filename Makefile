# Image Wizard. Each target installs into .venv what it needs; the second time nothing is installed.
#
#   make course SCALE=2 DATA=~/DIV2K        your own photographs, in DIV2K's layout
#   make course PARAMS="blur=0 jpeg_quality=40"    any parameter of the notebooks

PYTHON ?= python3
BIN    := .venv/bin

.PHONY: help course lab app test render clean

help:
	@echo "make course   run notebooks 01 to 06 in about five minutes; results in runs/<time>/"
	@echo "              SCALE=2  DATA=~/DIV2K  PARAMS=\"name=value …\" reach the notebooks"
	@echo "make lab      open JupyterLab on the Image Wizard"
	@echo "make app      the Image Wizard alone, as a web page on this machine"
	@echo "make test     all tests"
	@echo "make render   execute the notebooks and store their outputs (for maintainers)"
	@echo "make clean    remove .venv"

# .venv/course and .venv/test are installed: `make course` brings the first, `make test` both.
.venv/%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Image Wizard needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv: two to ten minutes the first time, 6 GB on Linux (PyTorch brings its GPU libraries) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	@touch $@

course: .venv/course
	@$(BIN)/python tools/run_course.py $(if $(SCALE),scale=$(SCALE)) $(if $(DATA),data_dir="$(DATA)") $(PARAMS)

lab: .venv/course
	$(BIN)/jupyter lab notebooks/00_image_wizard.ipynb

# Its settings are in app/voila.py: this machine only, a new token at each start, limits.
app: .venv/course
	JUPYTER_CONFIG_PATH="$(CURDIR)/app" JUPYTER_PATH="$(CURDIR)/app" $(BIN)/voila notebooks/00_image_wizard.ipynb

test: .venv/test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --doctest-modules tests srlib
	@rm -rf runs/nbval && mkdir -p runs/nbval && cp -r notebooks runs/nbval/ && ln -s ../../data runs/nbval/data
	$(BIN)/python -m pytest -p no:playwright --nbval-lax --nbval-cell-timeout=1800 runs/nbval/notebooks/0*.ipynb

render: .venv/test
	$(BIN)/python tools/render.py

clean:
	rm -rf .venv
