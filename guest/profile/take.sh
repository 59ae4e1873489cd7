#!/usr/bin/env bash
# Takes guest/profile/lua.profdata, the profile with which guest/cc.sh compiles Lua. It counts how
# often each part of Lua's C runs natively while train.lua and the workloads of tests/bench run.
# Needs clang-22, llvm-22 and libclang-rt-22-dev, and only after a change of train.lua,
# guest/core.c, a patch or Lua's version. The counts vary a little from run to run, so the build
# does not take the profile.
set -euo pipefail
cd "$(dirname "$0")"
manifest=$(cargo metadata --locked --format-version 1 --manifest-path ../../Cargo.toml \
  | python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "lua-src"))')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lua=$work/lua
cp -r "$(dirname "$manifest")"/lua-5.5.* "$lua"
for change in ../patches/lua-*.patch; do
  patch --silent --directory "$lua" -p1 < "$change"
done
cp ../core.c main.c "$lua"
(
  cd "$lua"
  clang-22 -O2 -DLUA_USE_POSIX -DLUA_USE_JUMPTABLE=0 -fprofile-instr-generate -o "$work/run" \
    core.c linit.c l*lib.c main.c -lm
)
for program in train.lua ../../tests/bench/lua/*.lua; do
  LLVM_PROFILE_FILE=$work/$(basename "$program").raw "$work/run" "$program" > "$work/out"
done
llvm-profdata-22 merge --sparse -o lua.profdata "$work"/*.raw
ls -l lua.profdata
