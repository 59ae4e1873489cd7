#!/usr/bin/env bash
# Builds guest/kael-guest.wasm from source: the core module, then the component with its Lua state.
#
#   guest/build.sh [OUT.wasm]
#
# guest/toolchain.sh makes the toolchain (Debian 12, root). With WASI_SDK_PATH set, the script uses
# rustup's wasm32-wasip1 target and that wasi-sdk instead. This way has not been tried.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-guest/kael-guest.wasm}
# Profiles in a configuration of Cargo would change the guest, which must have the same bytes everywhere.
for config in .cargo/config .cargo/config.toml; do
  if [ -e "$config" ]; then
    echo "guest: $config may change what is built" >&2
    echo "hint: move it away while the guest is built" >&2
    exit 1
  fi
done
toolchain=${KAEL_GUEST_TOOLCHAIN:-target/guest-toolchain}
mkdir -p "$toolchain"
toolchain=$(cd "$toolchain" && pwd)

if [ -n "${WASI_SDK_PATH:-}" ]; then
  features="-mexception-handling -mbulk-memory -msign-ext -mnontrapping-fptoint"
  export CC_wasm32_wasip1=$WASI_SDK_PATH/bin/clang AR_wasm32_wasip1=$WASI_SDK_PATH/bin/llvm-ar
  export CFLAGS_wasm32_wasip1="--sysroot=$WASI_SDK_PATH/share/wasi-sysroot -O3 $features"
  export CARGO_TARGET_WASM32_WASIP1_LINKER=$WASI_SDK_PATH/bin/clang
  guest_rustflags="-Clink-arg=-lsetjmp -Clink-arg=-Wl,--wrap=lua_getallocf -Ctarget-feature=+bulk-memory,+sign-ext,+nontrapping-fptoint"
  guest_cargo=cargo guest_std="" pass=-Wl,
else
  guest/toolchain.sh "$toolchain"
  . "$toolchain/env.sh"
  pass=
fi
# guest/cc.sh compiles Lua. Cargo does not notice when its inputs change.
export KAEL_CC=$CC_wasm32_wasip1 KAEL_PATCHED=$PWD/target/guest/patched CC_wasm32_wasip1=$PWD/guest/cc.sh
changes=$(cat guest/cc.sh guest/core.c guest/patches/* guest/profile/lua.profdata | sha256sum)
if [ "$changes" != "$(cat "$KAEL_PATCHED/changes" 2>/dev/null)" ]; then
  rm -rf "$KAEL_PATCHED" target/guest/wasm32-wasip1/guest/build/mlua-sys-* \
    target/guest/wasm32-wasip1/guest/.fingerprint/mlua-sys-*
  mkdir -p "$KAEL_PATCHED"
  echo "$changes" > "$KAEL_PATCHED/changes"
fi
# Makes moving and searching bytes faster. Lua's rows of the benchmark do not change
# (tests/bench/NOTES.md).
export CFLAGS_wasm32_wasip1="$CFLAGS_wasm32_wasip1 -msimd128"
guest_rustflags+=" -Ctarget-feature=+simd128"
# For guest/src/running_thread.rs.
guest_rustflags+=" -Clink-arg=$pass--wrap=lua_resume -Clink-arg=$pass--export=kael_running"

# The component contains no path of the machine that built it.
home=${CARGO_HOME:-$HOME/.cargo}
remap="--remap-path-prefix=$PWD=/kael --remap-path-prefix=$home=/cargo --remap-path-prefix=$toolchain=/toolchain"
export CFLAGS_wasm32_wasip1="$CFLAGS_wasm32_wasip1 -ffile-prefix-map=$PWD=/kael -ffile-prefix-map=$home=/cargo"
(
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS # they would take the place of these
  export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="$guest_rustflags $remap"
  export CARGO_TARGET_DIR="$PWD/target/guest"
  # shellcheck disable=SC2086 # an empty or a single word
  "$guest_cargo" rustc --locked -q -p kael-guest --lib --crate-type cdylib --profile guest \
    --target wasm32-wasip1 $guest_std
)
unset RUSTC RUSTC_BOOTSTRAP
cargo run --locked -q --release -p kael-guest-builder -- \
  target/guest/wasm32-wasip1/guest/kael_guest.wasm "$out"
