#!/usr/bin/env bash
# The C compiler of the guest: $KAEL_CC, but Lua's sources are compiled with guest/patches/lua-*.patch applied, its core as
# the one program guest/core.c, and both by the profile in guest/profile.
#
# Lua comes with the crate lua-src, and is compiled by a build script that takes only the name of a compiler. The patched
# copy is $KAEL_PATCHED/lua, which guest/build.sh removes when something here has changed.
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
      # wasm has no computed goto: a switch does without its table. Inlined beyond this, the interpreter's loop needs more
      # registers than there are.
      arguments+=(-DLUA_USE_JUMPTABLE=0 -mllvm -inline-threshold=50
        -fprofile-instr-use="$here/profile/lua.profdata" -Wno-profile-instr-out-of-date -Wno-profile-instr-unprofiled)
      name=$(basename "$file")
      case $name in
        lapi.c) arguments[at]=$lua/core.c ;;
        *)
          if grep -q "^#include \"$name\"" "$here/core.c"; then
            # It is in there.
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
