#!/usr/bin/env bash
# The guest's C compiler: $KAEL_CC. It compiles Lua's sources with guest/patches/lua-*.patch
# applied, Lua's core as the one program guest/core.c, and both with the profile in guest/profile.
#
# Lua comes with the crate lua-src, whose build script takes only the name of a compiler. The
# patched copy is in $KAEL_PATCHED/lua. guest/build.sh removes it when one of its inputs has
# changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
arguments=("$@")
for at in "${!arguments[@]}"; do
  file=${arguments[$at]}
  case $file in
    */lua-5.5.*/*.c)
      lua=$KAEL_PATCHED/lua
      exec 9> "$KAEL_PATCHED/lock"
      flock 9
      if [ ! -e "$lua/patched" ]; then
        rm -rf "$lua"
        cp -r "$(dirname "$file")" "$lua"
        for change in "$here"/patches/lua-*.patch; do
          patch --silent --directory "$lua" -p1 < "$change"
        done
        cp "$here/core.c" "$lua/core.c"
        touch "$lua/patched"
      fi
      exec 9>&-
      # wasm has no computed goto, and a switch does without its table. With more inlining the
      # interpreter's loop would need too many registers.
      arguments+=(-DLUA_USE_JUMPTABLE=0 -mllvm -inline-threshold=50
        -fprofile-instr-use="$here/profile/lua.profdata" -Wno-profile-instr-out-of-date -Wno-profile-instr-unprofiled)
      name=$(basename "$file")
      case $name in
        lapi.c) arguments[at]=$lua/core.c ;;
        *)
          if grep -q "^#include \"$name\"" "$here/core.c"; then
            # core.c includes it.
            arguments[at]=/dev/null
            arguments=(-xc "${arguments[@]}")
          else
            arguments[at]=$lua/$name
          fi
          ;;
      esac
      break
      ;;
  esac
done
exec "$KAEL_CC" "${arguments[@]}"
