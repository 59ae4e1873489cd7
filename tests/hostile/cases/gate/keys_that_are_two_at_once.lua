-- A table cannot hold the same key twice in JSON's eyes.
-- action: echo | cat
-- ends: ok 0
-- output: false\tt.echo failed: parameter $ mixes a list with named keys\nfalse\tt.echo failed: parameter $ has the number 2 for a key, and JSON keys are texts: use tostring(2)\nfalse\tfalse\tt.echo failed: parameter $ has a key that is a boolean, and JSON keys are texts: use tostring\n{"1":"b"}\n
print(pcall(actions.t.echo, { [1] = "a", ["1"] = "b" }))
print(pcall(actions.t.echo, { [2] = "a" }))
print(pcall(actions.t.echo, { [1.5] = "a" }), pcall(actions.t.echo, { [true] = "a" }))
print(json.encode(actions.t.echo({ ["1"] = "b" })))
