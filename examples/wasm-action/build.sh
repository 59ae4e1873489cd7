#!/usr/bin/env bash
# Builds the action in quiet-periods/ from source into impl/quiet_periods.wasm, and assembles impl/echo.wat:
#
#   examples/wasm-action/build.sh
#   examples/wasm-action/build.sh CRATE OUT.wasm [CARGO OPTIONS]...      any other WASI command, as a core module
#
# With rustup there is a shorter way to a component: rustup target add wasm32-wasip2, and
# `cargo build --release --target wasm32-wasip2` in the crate's folder. This one needs Debian 12 and root: it takes the
# toolchain that the guest is built with, and the linker and the start-up code from there.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
toolchain=$root/target/guest-toolchain
guest/toolchain.sh "$toolchain"

start=$toolchain/crt1-command.o
if ! [ -f "$start" ]; then
  zig=$(echo "$toolchain"/zig/lib/python3*/site-packages/ziglang)
  export ZIG_GLOBAL_CACHE_DIR=$toolchain/zig-cache ZIG_LOCAL_CACHE_DIR=$toolchain/zig-cache
  echo 'int main(void){return 0;}' > "$toolchain/command.c"
  "$zig/zig" cc -target wasm32-wasi -O2 "$toolchain/command.c" -o "$toolchain/command.wasm"
  cp "$(find "$toolchain/zig-cache" -name crt1-command.o | head -n 1)" "$start"
fi

# build CRATE OUT.wasm [OPTIONS]...
build() {
  local crate=$1 out=$2
  shift 2
  (
    . "$toolchain/env.sh"
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    lib=$toolchain/sysroot/lib
    home=${CARGO_HOME:-$HOME/.cargo}
    flags="-Clink-self-contained=no -L$lib -Clink-arg=$start -Clink-arg=-lzigc -Clink-arg=-lc -Clink-arg=-lcompiler_rt"
    flags="$flags --remap-path-prefix=$root=/kael --remap-path-prefix=$home=/cargo"
    export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="$flags" CARGO_TARGET_DIR="$root/target/commands"
    cd "$crate"
    # shellcheck disable=SC2086 # an empty or a single word
    "$guest_cargo" build -q --locked --release --target wasm32-wasip1 $guest_std "$@"
  )
  cp "target/commands/wasm32-wasip1/release/$(basename "$crate").wasm" "$out"
}

if [ $# -gt 0 ]; then
  build "$@"
  exit
fi
build examples/wasm-action/quiet-periods target/quiet-periods.wasm
impl=examples/wasm-action/impl
cargo run --locked -q -p kael-tests --example command -- target/quiet-periods.wasm $impl/quiet_periods.wasm
cargo run --locked -q -p kael-tests --example command -- $impl/echo.wat $impl/echo.wasm
