# The verbs of this project, the same here and in CI. Each readies what it needs first: see workshop/.

# The first Python on this machine that is recent enough.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
BIN := .venv/bin
READY = @$(if $(PYTHON),$(PYTHON) -S -m workshop,echo "Python 3.11 or newer is needed, and none is on the PATH." >&2; exit 1; :)
WITH_NODE = PATH="$(CURDIR)/$(BIN):$(CURDIR)/.cache/cdk/node_modules/.bin:$$PATH"
# In production each stack with functions waits five minutes, so one after the other takes an hour; all at once, some sixty rollouts
# would share the fifteen calls a second that Lambda takes of an account for all that is no invocation.
STACKS_AT_ONCE = 3
SITE = .cache/docs/bin/zensical build --strict
# As many processes as tests/conftest.py says, in the order of tests/shares.py.
SHARED = --numprocesses=auto --maxprocesses=4 --no-loadscope-reorder
# What the local model's own answers are like is the same on every AWS.
ON_LOCALSTACK = tests/end_to_end tests/localstack --ignore=tests/end_to_end/test_real_model.py

# Each of many processes would compile all that it imports, where Python may not keep what it has compiled.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test test-localstack image-test check audit docs fix openapi synth deploy diff deploy-local smoke cost bench load profile lock

help: ## List the verbs
	@echo "make VERB, where VERB is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: ## Serve the gateway on this machine with a model of its own; ARGS=--help lists --port, --fresh and more
	$(READY) python $(if $(findstring --help,$(ARGS)),,model)
	@exec $(BIN)/python -m local_aws run $(ARGS)

deploy-local: ## Deploy the whole app, Lambdas and API Gateway, to a local AWS
	$(READY) python cdk
	@exec $(BIN)/python -m local_aws deploy $(ARGS)

test: ## Run all tests with coverage; ARGS="tests/domain -k limits" runs some, without
	$(READY) python model cdk clients
	@exec $(BIN)/python -m pytest $(or $(ARGS),--cov --cov-report=term $(SHARED))

test-localstack: ## Run the end-to-end tests on LocalStack, without Docker; needs Python 3.13; ARGS="-k streams" runs some
	$(READY) python cdk localstack
	@exec $(BIN)/python -m pytest --localstack=.cache/localstack/bin/python $(ON_LOCALSTACK) $(ARGS)

image-test: ## Build the local model's image with buildah, no daemon, and ask it a question as Lambda would run it
	$(READY) python
	@exec $(BIN)/python -m pytest --image tests/image $(ARGS)

check: ## Format, lint, types, the direction of imports, cfn-lint over the templates, and the site's links
	$(READY) python docs cdk
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=layers/gateway/python:container-local-model $(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/infra/test_lint.py tests/infra/every_setting.py
	@$(SITE)

audit: ## Check what ships for known faults, licences and secrets: one table
	$(READY) python audit
	@PYTHONPATH=layers/gateway/python $(BIN)/python -m audits

docs: ## Build the user's guide and the other pages as a site in .cache/site
	$(READY) python docs
	@PYTHONPATH=layers/gateway/python $(BIN)/python -m llm_gateway.entrypoints.guide docs/guide
	@$(SITE)
	@echo "The site is in .cache/site: python3 -m http.server --bind 127.0.0.1 --directory .cache/site"

fix: ## Format, and mend what the linter can mend
	$(READY) python
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

openapi: ## Write the API's description anew from the code, and from that the Python client's types
	$(READY) python
	@PYTHONPATH=layers/gateway/python $(BIN)/python -m functions --print-openapi > .cache/openapi.json
	@mv .cache/openapi.json layers/gateway/python/llm_gateway/wire/openapi.json
	@$(BIN)/python -m workshop.client

synth: ## Write the CloudFormation templates to cdk.out/
	$(READY) python cdk
	@$(WITH_NODE) cdk synth --quiet $(ARGS)

deploy: ## Deploy every stack to the AWS account of the environment: ARGS="-c stage=prod"
	$(READY) python cdk
	@$(WITH_NODE) cdk deploy --all --require-approval never --concurrency $(STACKS_AT_ONCE) $(ARGS)

diff: ## Show what a deployment would change in the AWS account of the environment: ARGS="-c stage=prod"
	$(READY) python cdk
	@$(WITH_NODE) cdk diff --method template $(ARGS)

smoke: export GATEWAY_URL := $(or $(URL),$(GATEWAY_URL))
smoke: export GATEWAY_KEY := $(or $(KEY),$(GATEWAY_KEY))
smoke: ## See whether the gateway at URL=https://… works, with the key in the variable GATEWAY_KEY
	$(READY) python
	@exec $(BIN)/python -m operations.smoke $(ARGS)

cost: ## What a deployment costs, idle and by a million queries, and when a container is cheaper
	$(READY) python
	@PYTHONPATH=layers/gateway/python $(BIN)/python -m operations.cost $(ARGS)

bench: ## Measure beside a direct call and a bare FastAPI app, cold starts and more; ARGS=--floor measures one part
	$(READY) python cdk
	@exec env PYTHONPATH=layers/gateway/python $(BIN)/python -m bench $(ARGS)

load: ## A hundred callers while providers fail, a worker is killed, the emulator stalls; ARGS="--queries 2000" asks less
	$(READY) python cdk
	@exec env PYTHONPATH=layers/gateway/python $(BIN)/python -m bench.endurance $(ARGS)

profile: ## Where a query's time goes: a Lambda, the local server, the worker; flame graphs in .cache/profile
	$(READY) python cdk profiler
	@exec env PYTHONPATH=layers/gateway/python $(BIN)/python -m bench.profiles $(ARGS)

lock: ## Write the hashed locks; ARGS=--upgrade takes newer versions
	$(READY) python cdk --lock $(ARGS)
