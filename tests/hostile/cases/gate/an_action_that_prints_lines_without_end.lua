-- A list of the lines of a text has more bytes than the text: it is bounded while it is made.
-- action: a output = 'lines' | head -c 60000000 /dev/zero | tr '\0' '\n'
-- action: b output = 'text' | head -c 60000000 /dev/zero
-- action: c output = 'ndjson' | head -c 10000000 /dev/zero | tr '\0' 1 | sed 's/1/1\n/g'
-- ends: ok 0
-- output: bad_output\tprinted what has more than 64 MiB as JSON\nbad_output\tprinted what has more than 64 MiB as JSON\nbad_output\tprinted a document that is too large: it holds more than 4194304 values\n
for _, name in ipairs { "a", "b", "c" } do
  local _, e = pcall(actions.t[name], {})
  print(e.kind, e.message)
end
