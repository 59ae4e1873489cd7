#!/bin/sh
# {"text": "..."} on stdin, {"lines": 1, "words": 2, "bytes": 3} on stdout.
# The text is taken as JSON spells it; a real parser is a matter of `jq` or another language.
text=$(sed -e 's/.*"text":"\(.*\)".*/\1/')
set -- $(printf '%b' "$text" | wc)
printf '{"lines":%d,"words":%d,"bytes":%d}\n' "$1" "$2" "$3"
