# The scripts that are behind every command; `just` lists them.

_default:
    @just --list

# the program, target/release/kael-host
build:
    cargo build --locked --release

# the program as it is given to users, target/dist/kael-host
dist:
    cargo build --locked --profile dist

# all tests, or those whose name holds the word
test word="":
    tests/run {{word}}

# format and lints
lint:
    cargo fmt --all --check
    cargo clippy --locked --release $(.ci/selection) --all-targets -- -D warnings

# fuzzes every target, or those that are named, for so many seconds each
fuzz seconds="600" *targets:
    .ci/fuzz {{seconds}} {{targets}}

# runs that die at so many points: before and behind each write, and at each step of an effect
crash points="10000":
    KAEL_CRASH_POINTS={{points}} cargo test --locked --release -p kael-runs crash:: -- --nocapture

# a server and rules that work for long: so many seconds, so many events
soak seconds="7200" events="10000000":
    KAEL_SOAK_SECONDS={{seconds}} KAEL_SOAK_EVENTS={{events}} cargo test --locked --release -p kael-tests --test suite soak:: -- --nocapture

# a run with so many MiB of journal: checked, exported, imported and replayed in bounded memory
journal mib="1024":
    KAEL_JOURNAL_MIB={{mib}} tests/run durable::large

# what Kael costs (`--short`, `--check`, rows)
bench *options:
    tests/bench/run {{options}}

# guest/kael-guest.wasm, from source
guest:
    guest/build.sh

# the book, target/book, and the documentation of the code, target/doc
docs:
    .ci/book
    cargo doc --locked --release $(.ci/selection) --no-deps

# what decides whether a change lands
ci:
    .ci/run
