#!/bin/sh
# Makes ../src/web/editor.js, with the licences of what is in it beside it. The packages are those of package-lock.json;
# the same packages give the same bytes. `build.sh FOLDER` writes elsewhere.
set -eu
cd "$(dirname "$0")"
out=${1:-../src/web}
npm ci --ignore-scripts --no-audit --no-fund --silent
node_modules/.bin/esbuild main.js --bundle --minify --format=iife --target=es2022 --charset=utf8 \
  --legal-comments=none --log-level=warning --outfile="$out/editor.js" \
  --banner:js="// Built by host/server/editor/build.sh. The licences of its parts are in editor.licenses.txt."
{
  echo "editor.js has parts of these packages, each under the licence below its name."
  for package in @codemirror/autocomplete @codemirror/commands @codemirror/language @codemirror/legacy-modes \
    @codemirror/lint @codemirror/search @codemirror/state @codemirror/view @lezer/common @lezer/highlight @lezer/lr \
    @marijn/find-cluster-break crelt style-mod w3c-keyname; do
    version=$(node -p "require('./node_modules/$package/package.json').version")
    printf '\n%s %s\n\n' "$package" "$version"
    cat "node_modules/$package/LICENSE"
  done
} >"$out/editor.licenses.txt"
