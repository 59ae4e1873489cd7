-- A number past every float, and half a surrogate pair, are refused at the gate, not later.
-- action: big | echo '[1e999]'
-- action: half | echo '["\ud800"]'
-- action: key | echo '{"\udc00":1}'
-- action: neg | echo '-1e400'
-- ends: ok 0
-- output: false\tbad_output\tprinted what is not JSON: number out of range at line 1 column 6\nfalse\tbad_output\tprinted what is not JSON: half a surrogate pair, \ud800, which is not a character, at line 1 column 3\nfalse\tbad_output\tprinted what is not JSON: half a surrogate pair, \udc00, which is not a character, at line 1 column 3\nfalse\tbad_output\tprinted what is not JSON: number out of range at line 1 column 6\n
for _, name in ipairs { "big", "half", "key", "neg" } do
  local ok, e = pcall(actions.t[name], {})
  print(ok, e.kind, e.message)
end
