#!/usr/bin/env bash
# Makes a toolchain for Rust and C to wasm32-wasip1 on Debian 12, without rustup's wasm target and
# wasi-sdk:
#
#   guest/toolchain.sh DIR     makes DIR/sysroot and DIR/env.sh for /usr/bin/cargo
#
# Debian has clang, lld, and a Rust with the sources of its standard library (built with
# -Zbuild-std). ziglang from PyPI has a current wasi-libc with setjmp, and builds it.
set -euo pipefail
mkdir -p "$1"
dir=$(cd "$1" && pwd)
ready="$dir/ready-2"
if [ -f "$ready" ]; then exit 0; fi

export DEBIAN_FRONTEND=noninteractive
if ! command -v clang-22 >/dev/null || ! command -v wasm-ld-22 >/dev/null \
  || ! command -v patch >/dev/null || ! [ -x /usr/bin/cargo ] || ! [ -d /usr/lib/rustlib/src/rust/library ]; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends \
    clang-22 lld-22 llvm-22 patch rustc-web cargo-web rust-web-src python3-venv >/dev/null
fi
python3 -m venv "$dir/zig"
"$dir/zig/bin/pip" -q install ziglang==0.17.0
zig=$(echo "$dir"/zig/lib/python3*/site-packages/ziglang)

sysroot=$dir/sysroot
lib=$sysroot/lib
rm -rf "$sysroot" && mkdir -p "$sysroot/include" "$lib"
cp -r "$zig/lib/libc/include/generic-musl/." "$zig/lib/libc/include/wasm-wasi-musl/." "$sysroot/include/"

# Linking any reactor makes zig build libc.a, libzigc.a, libcompiler_rt.a and crt1-reactor.o in its
# cache.
echo 'int probe(void){return 0;}' > "$dir/probe.c"
export ZIG_GLOBAL_CACHE_DIR=$dir/zig-cache ZIG_LOCAL_CACHE_DIR=$dir/zig-cache
"$zig/zig" cc -target wasm32-wasi -O2 -mexec-model=reactor "$dir/probe.c" -o "$dir/probe.wasm" -Wl,--export=probe
for file in libc.a libzigc.a libcompiler_rt.a crt1-reactor.o; do
  newest=$(find "$dir/zig-cache" -name "$file" -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
  cp "$newest" "$lib/"
done

# setjmp and longjmp with wasm exceptions: wasi-libc's runtime, and the tag that clang's code
# throws.
clang-22 --target=wasm32-wasip1 --sysroot="$sysroot" -I"$sysroot/include" -O2 \
  -mllvm -wasm-enable-sjlj -mllvm -wasm-use-legacy-eh=false -mexception-handling -mmultivalue -mreference-types \
  -c "$zig/lib/libc/wasi/libc-top-half/musl/src/setjmp/wasm32/rt.c" -o "$dir/rt.o"
printf '\t.tagtype __c_longjmp i32\n\t.globl __c_longjmp\n__c_longjmp:\n' > "$dir/tag.s"
clang-22 --target=wasm32-wasip1 -mexception-handling -c "$dir/tag.s" -o "$dir/tag.o"
llvm-ar-22 rcs "$lib/libsetjmp.a" "$dir/rt.o" "$dir/tag.o"
llvm-ar-22 rcs "$lib/libwasi-emulated-signal.a" # named by lua-src; libc.a above has signal() itself

features="-mexception-handling -mbulk-memory -msign-ext -mnontrapping-fptoint"
cat > "$dir/env.sh" <<ENV
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CC_wasm32_wasip1=clang-22 AR_wasm32_wasip1=llvm-ar-22
export CFLAGS_wasm32_wasip1="--sysroot=$sysroot -I$sysroot/include -O3 $features"
export CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-22
guest_rustflags="-Clink-self-contained=no -L$lib -Clink-arg=$lib/crt1-reactor.o -Clink-arg=-lzigc -Clink-arg=-lc -Clink-arg=-lsetjmp -Clink-arg=-lcompiler_rt -Clink-arg=--wrap=lua_getallocf -Ctarget-feature=+bulk-memory,+sign-ext,+nontrapping-fptoint"
guest_cargo=/usr/bin/cargo
guest_std="-Zbuild-std=std,panic_abort"
ENV
touch "$ready"
