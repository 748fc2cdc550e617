#!/usr/bin/env bash
# Every check of the crate, on a fresh Debian with Rust as on a developer's machine. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_COLOR=never
tools=${CHANCERY_TOOLS:-$HOME/.cache/chancery-tools}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$tools/bin:$PATH

# The arguments of each example.
declare -A examples=(
  [custom_store]=""
  [declared]="examples/declared.toml"
  [lifecycle]="--out $work/lifecycle"
  [policy_test]=""
  [quickstart]="--out $work/quickstart --name a.example.com"
  [server]="--config examples/chancery.toml --check"
  [simulate]="--seeds 2000"
  [transfer]="--from tests/fixtures/schema-1/state.jsonl --to $work/moved.db"
  [year]="--certificates 500"
)

step() {
  local heading=$1 start=$SECONDS
  shift
  echo "=== $heading"
  "$@"
  echo "--- $heading: $((SECONDS - start)) s"
}

install_programs() {
  local missing=()
  type openssl > "$work/log" 2>&1 || missing+=(openssl)
  type certtool ocsptool > "$work/log" 2>&1 || missing+=(gnutls-bin)
  [[ -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
  python3 -c 'import ensurepip' > "$work/log" 2>&1 || missing+=(python3-venv)
  type cc c++ > "$work/log" 2>&1 || missing+=(gcc g++ libc6-dev)
  compgen -G '/usr/lib/postgresql/*/bin/initdb' > "$work/log" || missing+=(postgresql)
  type curl > "$work/log" 2>&1 || missing+=(curl)
  # Clients of ACME with the DNS that they are proved in, and a browser with what drives it.
  type lego > "$work/log" 2>&1 || missing+=(lego)
  type pebble-challtestsrv > "$work/log" 2>&1 || missing+=(pebble)
  type chromium > "$work/log" 2>&1 || missing+=(chromium fonts-dejavu-core)
  type node > "$work/log" 2>&1 || missing+=(nodejs)
  type npm > "$work/log" 2>&1 || missing+=(npm)
  type shellcheck > "$work/log" 2>&1 || missing+=(shellcheck)
  if ((${#missing[@]})); then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
  fi
  # Without optimisation: it compiles in half the time and runs for a second.
  type cargo-deny > "$work/log" 2>&1 || cargo install --quiet --locked --debug --root "$tools" cargo-deny
  # Other people's programs from PyPI, each in a place of its own: a mail server, what judges the API, an ACME client.
  from_pypi aiosmtpd aiosmtpd
  from_pypi schemathesis schemathesis prometheus-client
  from_pypi certbot certbot
  [[ -e $tools/browser/node_modules/axe-core ]] ||
    npm install --silent --prefix "$tools/browser" playwright-core axe-core
}

from_pypi() {
  local place=$tools/$1
  shift
  if [[ ! -e $place/installed ]]; then
    python3 -m venv "$place"
    "$place/bin/pip" install --quiet "$@"
    touch "$place/installed"
  fi
}

lint_shell() {
  shellcheck .ci/run tests/run.sh fuzz/make-seeds.sh
}

lint() {
  cargo clippy --all-targets --all-features -- -D warnings
  cargo clippy --all-targets --no-default-features -- -D warnings
}

# Crashes and simulated worlds over every store that lasts, at once: each waits for its commits most of the time.
over_other_stores() {
  local store failed=()
  declare -A running
  for store in sqlite postgres redb; do
    over_store "$store" > "$work/$store" 2>&1 &
    running[$store]=$!
  done
  for store in "${!running[@]}"; do
    wait "${running[$store]}" || failed+=("$store")
    cat "$work/$store"
  done
  ((${#failed[@]} == 0)) || { echo "failed over ${failed[*]}"; return 1; }
}

over_store() {
  export CHANCERY_TEST_STORE=$1
  local name binaries=()
  for name in crash crash_approvals crash_issuers crash_renewals crash_syncs; do binaries+=(--test "$name"); done
  cargo test --all-features "${binaries[@]}" &&
    cargo test --all-features --test simulation worlds_in &&
    cargo test --all-features --test revocation --test acme_engine crash
}

# As the tests have built them, with one set of features; those that count for minutes are built to be fast.
run_examples() {
  local file name directory
  cargo build --examples --all-features
  cargo build --release --example simulate --example year --features simulation
  for file in examples/*.rs examples/*/main.rs; do
    [[ -e $file ]] || continue
    name=${file#examples/}
    name=${name%.rs}
    name=${name%/main}
    [[ -v examples[$name] ]] || { echo "tests/run.sh has no arguments for the example $name"; return 1; }
    directory=debug
    case $name in simulate | year) directory=release ;; esac
    echo "running $name"
    # The table's words are meant to be split.
    # shellcheck disable=SC2086
    "${CARGO_TARGET_DIR:-target}/$directory/examples/$name" ${examples[$name]}
  done
}

check_dependencies() {
  # Also what only other platforms build.
  cargo fetch
  cargo deny --offline --config .ci/deny.toml check licenses bans sources
  if timeout 60 cargo deny --config .ci/deny.toml fetch db > "$work/log" 2>&1; then
    cargo deny --offline --config .ci/deny.toml check advisories
  else
    echo "NOT CHECKED: advisories; their database can not be fetched from here"
  fi
}

one_generation() {
  local crate count
  for crate in der spki x509-cert; do
    count=$(grep -c "^name = \"$crate\"\$" Cargo.lock)
    [[ $count == 1 ]] || { echo "$count generations of $crate"; return 1; }
  done
}

pure_rust() {
  cargo tree --no-default-features -e normal,build --prefix none > "$work/tree"
  if grep -E '^(cc|cmake|bindgen|[a-z0-9_-]+-sys) ' "$work/tree"; then
    echo "--no-default-features builds C"
    return 1
  fi
}

# A short run of each target: bounded and with a fixed seed, so that it says the same of the same code; FUZZ_SEED and
# FUZZ_SECONDS make it another or a longer one.
# What cargo-fuzz does with `--sanitizer none`, without the time to compile it; it runs on the stable toolchain.
fuzz() {
  local host target
  host=$(rustc -vV | sed -n 's/^host: //p')
  local coverage=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares)
  # Little optimisation: for runs of seconds, compiling counts for more.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 RUSTFLAGS="--cfg fuzzing ${coverage[*]}" \
    cargo build --release --bins --manifest-path fuzz/Cargo.toml --target-dir fuzz/target --target "$host"
  for target in fuzz/targets/*.rs; do
    target=$(basename "$target" .rs)
    echo "fuzzing $target"
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    "fuzz/target/$host/release/$target" -seed="${FUZZ_SEED:-1}" \
      -max_total_time="${FUZZ_SECONDS:-8}" -timeout=5 -rss_limit_mb=2048 \
      -verbosity=0 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
      "fuzz/corpus/$target" "fuzz/seeds/$target"
  done
}

step "programs" install_programs
step "shell scripts" lint_shell
step "format" cargo fmt --check
step "format of the fuzzers" cargo fmt --check --manifest-path fuzz/Cargo.toml
step "lint" lint
# With a smaller fleet than the 10,000 of the proof by processes: it shows the same in a part of the time.
step "tests, all features" env NODES_CERTIFICATES="${NODES_CERTIFICATES:-2000}" cargo test --all-features
step "crash tests and simulations over SQLite, PostgreSQL and the example's store" over_other_stores
step "tests, pure Rust" cargo test --no-default-features
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --all-features --no-deps
step "examples" run_examples
step "dependencies" check_dependencies
step "one generation of the ASN.1 crates" one_generation
step "no C without default features" pure_rust
step "fuzzing" fuzz
echo "=== all checks passed in $SECONDS s"
