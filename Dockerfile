# Two images out of one file: the product (the default) and, for docker-compose.yml, the
# simulated neighbours (`--target simulators`).

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# Dependencies first, with empty sources: they change rarely and take most of the time.
COPY Cargo.toml Cargo.lock ./
COPY simulators/Cargo.toml simulators/
RUN mkdir -p src simulators/src tests/story benches \
 && touch src/lib.rs simulators/src/lib.rs tests/story/main.rs benches/load.rs \
 && echo 'fn main() {}' > src/main.rs \
 && cp src/main.rs simulators/src/main.rs \
 && cargo build --locked --release --workspace --bins

# Embedded into the program: migrations, the files of nats/ and the prompts below src/.
COPY migrations migrations
COPY nats nats
COPY src src
COPY simulators/src simulators/src
# Newer than the empty sources, whatever the checkout says.
RUN find src simulators/src -name '*.rs' -exec touch {} + \
 && cargo build --locked --release --workspace --bins

FROM debian:bookworm-slim AS base
# Certificate authorities come from the build image; nothing is installed here.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 10001:10001

FROM base AS simulators
COPY --from=build /build/target/release/simulators /usr/local/bin/simulators
EXPOSE 8001 8002 8003 8004
ENTRYPOINT ["/usr/local/bin/simulators"]
CMD ["serve", "--host", "0.0.0.0", "--profile", "demo"]

FROM base AS orchestrator
COPY --from=build /build/target/release/orchestrator /usr/local/bin/orchestrator
EXPOSE 8000 9090
# The image has no curl; the program asks its own readiness.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["/usr/local/bin/orchestrator", "healthcheck"]
# More than SHUTDOWN_SECONDS is needed between TERM and KILL: `stop_grace_period` in compose,
# `terminationGracePeriodSeconds` elsewhere.
ENTRYPOINT ["/usr/local/bin/orchestrator"]
CMD ["serve"]
