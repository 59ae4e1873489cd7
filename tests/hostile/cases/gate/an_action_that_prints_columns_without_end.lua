-- Names of columns are compared with each other, and each stands in every row: there may be so many.
-- action: a output = 'csv' | seq 1 2000000 | tr '\n' ,
-- action: b output = 'csv' | head -c 60000000 /dev/zero | tr '\0' ,
-- ends: ok 0
-- output: bad_output\tline 1: more than 10000 fields\nbad_output\tline 1: more than 10000 fields\n
for _, name in ipairs { "a", "b" } do
  local _, e = pcall(actions.t[name], {})
  print(e.kind, e.message)
end
