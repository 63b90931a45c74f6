# Image Wizard.  Each target sets up .venv by itself; a second time nothing is installed.
#
#   make course SCALE=2 DATA=~/DIV2K        photographs of your own, in DIV2K's layout
#   make course PARAMS="jpeg_quality=30"    any parameter of the notebooks

PYTHON ?= python3
BIN    := .venv/bin

.PHONY: help course lab app test render clean

help:
	@echo "make course   run notebooks 01 to 06, about 5 minutes; results in runs/<time>/"
	@echo "              SCALE=2  DATA=~/DIV2K  PARAMS=\"name=value …\" are passed on"
	@echo "make lab      open JupyterLab on the Image Wizard"
	@echo "make app      the Image Wizard as a web page on this machine"
	@echo "make test     all tests"
	@echo "make render   execute the notebooks and store their outputs (for maintainers)"
	@echo "make clean    remove .venv"

.venv/ready: pyproject.toml constraints.txt
	@echo "Setting up .venv: two to ten minutes, 6 GB on Linux (PyTorch brings its GPU libraries) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

course: .venv/ready
	@$(BIN)/python tools/run_course.py $(if $(SCALE),scale=$(SCALE)) $(if $(DATA),data_dir=$(DATA)) $(PARAMS)

lab: .venv/ready
	$(BIN)/jupyter lab notebooks/00_image_wizard.ipynb

# app/voila.py has its settings: this machine only, a new token each time, limits.
app: .venv/ready
	JUPYTER_CONFIG_PATH=$(CURDIR)/app JUPYTER_PATH=$(CURDIR)/app $(BIN)/voila notebooks/00_image_wizard.ipynb

test: .venv/ready
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
	@rm -rf runs/nbval && mkdir -p runs/nbval && cp -r notebooks runs/nbval/ && ln -s ../../data runs/nbval/data
	$(BIN)/python -m pytest -p no:playwright --nbval-lax --nbval-cell-timeout=1800 runs/nbval/notebooks/0*.ipynb

render: .venv/ready
	$(BIN)/python tools/render.py

clean:
	rm -rf .venv
