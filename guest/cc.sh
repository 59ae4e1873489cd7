#!/usr/bin/env bash
# The C compiler of the guest: $KAEL_CC, but Lua's sources are compiled with guest/patches/lua-*.patch applied.
#
# Lua comes with the crate lua-src, and is compiled by a build script that takes only the name of a compiler. The patched
# copy is $KAEL_PATCHED/lua, which guest/build.sh removes when a patch has changed.
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
        touch "$lua/patched"
      fi
      exec 9>&-
      arguments[$at]=$lua/$(basename "$file")
      ;;
  esac
done
exec "$KAEL_CC" "${arguments[@]}"
