-- Results nest as deep as parameters may.
-- action: deep | i=0; while [ $i -lt 129 ]; do printf '['; i=$((i+1)); done; while [ $i -gt 0 ]; do printf ']'; i=$((i-1)); done
-- ends: ok 0
-- output: false\tt.deep failed: printed a document that is too large: it nests deeper than 128\n
print(pcall(actions.t.deep, {}))
