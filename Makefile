# Image Wizard. Each target installs into .venv what it needs; the second time nothing is installed.
#
#   make course SCALE=2 DATA=~/Pictures     your own photographs, or a folder in DIV2K's layout
#   make course PARAMS="blur=0 jpeg_quality=40"    any parameter of the notebooks

PYTHON ?= python3
BIN    := .venv/bin

.PHONY: help course lab app book figures test fuzz render clean

help:
	@echo "make course   run notebooks 01 to 06 in about six minutes; results in runs/<time>/"
	@echo "              SCALE=2  DATA=~/DIV2K  PARAMS=\"name=value …\" reach the notebooks"
	@echo "make lab      open JupyterLab on the Image Wizard"
	@echo "make app      the Image Wizard alone, as a web page on this machine"
	@echo "make book     the course as a website to read, in site/"
	@echo "make figures  the figures of the lessons as files for slides, in runs/figures/"
	@echo "make test     all tests"
	@echo "make fuzz     five minutes of random damage to files, folders and downloads; SECONDS=60"
	@echo "make render   execute the notebooks and store their outputs (for maintainers)"
	@echo "make clean    remove .venv and site/; your results in runs/ stay"
	@echo
	@echo "TORCH=cpu or TORCH=cuda chooses PyTorch's build at the first installation; \"make clean\" lets you"
	@echo "choose again. By default it is the small one for the CPU where there is no NVIDIA GPU."
	@echo "On a command line of your own: .venv/bin/image-wizard photo.jpg"

# .venv/course and .venv/test are installed: `make course` brings the first, `make test` both.
.venv/%: pyproject.toml constraints.txt
	@TORCH=$(TORCH) $(PYTHON) tools/install.py $*
	@touch $@

course: .venv/course
	@$(BIN)/python tools/run_course.py $(if $(SCALE),scale=$(SCALE)) $(if $(DATA),data_dir="$(DATA)") $(PARAMS)

lab: .venv/course
	$(BIN)/jupyter lab --notebook-dir . notebooks/00_image_wizard.ipynb

# Its settings are in app/voila.py: this machine only, a new token at each start, limits.
app: .venv/course
	JUPYTER_CONFIG_PATH="$(CURDIR)/app" JUPYTER_PATH="$(CURDIR)/app" $(BIN)/voila notebooks/00_image_wizard.ipynb

test: .venv/test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --doctest-modules tests srlib

# Not a part of the tests. A failure is kept in .hypothesis and tried first the next time.
fuzz: .venv/test
	PYTHONPATH=.:tests $(BIN)/python tools/fuzz.py $(SECONDS)

book: .venv/book
	$(BIN)/python docs/book/build.py

figures: .venv/course
	$(BIN)/python tools/figures.py

render: .venv/test
	$(BIN)/python tools/render.py

clean:
	rm -rf .venv site
