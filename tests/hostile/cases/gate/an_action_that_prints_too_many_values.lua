-- The number of values of a result is bounded, too.
-- action: many | printf '[0'; head -c 10000000 /dev/zero | tr '\0' ',' | sed 's/,/,0/g'; printf ']'
-- ends: ok 0
-- output: false\tt.many failed: printed a document that is too large: it holds more than 4194304 values\n
print(pcall(actions.t.many, {}))
