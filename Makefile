# The commands of the project; `make` alone lists them. Only apt-get ever needs root.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup packages run test lab lint bench clean

# the system's Python first: an ordinary user can read it wherever root's own interpreters live
PYTHON ?= $(firstword $(foreach p,/usr/bin/python3 python3 python3.13 python3.12 python3.11,$(shell \
	$(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
BIN := .venv/bin
STAMP := .venv/.installed

# the kernel's build tools and source, Debian's own user-mode kernel, and the tools of the guide
PACKAGES := flex bison bc patch gcc libc6-dev make xz-utils ccache linux-source-6.12 \
	user-mode-linux iproute2 ethtool linuxptp iperf3 python3-venv

# continuous integration also proves what the virtual lab cannot show, on a real sshd, a real dockerd and a machine with
# an IOMMU in QEMU, and looks at notebooks and reports in a browser; elsewhere these tests are skipped unless the packages
# are there (`make packages CI=true`)
ifdef CI
PACKAGES += openssh-server sudo openssl procps docker.io runc isochron busybox-static qemu-system-x86 cpio kmod git curl mmdebstrap
PACKAGES += chromium fonts-dejavu-core iputils-ping
endif

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## install what is missing: Debian packages (the only step that asks for root), then .venv

packages:
	@command -v dpkg-query >/dev/null || { echo "not a Debian system: install the likes of $(PACKAGES) yourself"; exit 0; }
	missing=$$(comm -23 <(printf '%s\n' $(PACKAGES) | sort -u) \
	  <(dpkg-query -W -f='$${db:Status-Status} $${Package}\n' $(PACKAGES) 2>/dev/null | sed -n 's/^installed //p' | sort) | xargs)
	[ -n "$$missing" ] || exit 0
	sudo=""
	if [ "$$(id -u)" != 0 ]; then
	  command -v sudo >/dev/null || { echo "no sudo here; as root: apt-get install --no-install-recommends $$missing"; exit 1; }
	  sudo=sudo
	fi
	echo "Debian packages (up to 170 MB to fetch, a minute or two): $$missing"
	apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get --yes"
	$$apt update
	$$apt install --no-install-recommends $$missing

$(STAMP): pyproject.toml | packages
	@[ -n "$(PYTHON)" ] || { echo "no Python 3.11 or later found; name one: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	quiet=--quiet; if [ -t 1 ]; then quiet=; fi
	echo "Python packages into .venv, with $(PYTHON) (about 250 MB to fetch, a minute or two)"
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $$quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

run: setup ## run Cases 1 to 3 on the virtual lab; results/index.html shows them side by side
	@$(BIN)/tsnlab run case1 case2 case3

test: setup ## build the virtual lab's kernel if there is none yet, then run all tests
	@$(BIN)/tsnlab kernel build
	$(BIN)/python -m pytest

lab: setup ## open JupyterLab on the notebooks, the introduction first
	@as_root=; [ "$$(id -u)" != 0 ] || as_root=--allow-root
	$(BIN)/jupyter lab $$as_root notebooks/introduction.ipynb

lint: setup ## style, types, and notebooks without outputs
	@$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	notebooks=$$(git ls-files 'notebooks/*.ipynb'); [ -z "$$notebooks" ] || $(BIN)/nbstripout --keep-id --verify $$notebooks

bench: setup ## measure how fast the virtual lab is, and the analysis of captures beside other tools
	@$(BIN)/python -m tests.bench.lab
	$(BIN)/python -m tests.bench.i210
	$(BIN)/python -m tests.bench.ssh
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.sweep
	$(BIN)/python -m tests.bench.catalogue

clean: ## remove .venv and caches in the checkout (not results/, not the kernels in the user's cache folder)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# one shell for a whole recipe, so that it reads as a script
.ONESHELL:
