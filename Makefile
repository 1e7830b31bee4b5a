.PHONY: run build test check fmt lint

# Builds and starts the gateway with working defaults. Needs Rust and a C compiler.
# Pass options as in `make run ARGS="-c config.yaml"`.
run: build
	@exec "$${CARGO_TARGET_DIR:-target}/release/tidegate" $(ARGS)

build:
	cargo build --release --locked -p tidegate

# Everything that must hold before a change is merged. Installs what it needs.
test:
	@scripts/test.sh

# Validates config.yaml and what is stored; starts nothing.
check: build
	@"$${CARGO_TARGET_DIR:-target}/release/tidegate" check $(ARGS)

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
