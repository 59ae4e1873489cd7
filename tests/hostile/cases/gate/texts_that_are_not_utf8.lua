-- Bytes that are no text are refused, as values and as keys.
-- action: echo | cat
-- ends: ok 0
-- output: false\tt.echo failed: parameter $.a is a string that is not UTF-8\nfalse\tt.echo failed: parameter $.a is a string that is not UTF-8\nfalse\tt.echo failed: parameter $["��"] is a string that is not UTF-8\nfalse\tt.echo failed: parameter $.a is a string that is not UTF-8\n{"a":"\u0000\u0001\u{7f}􏿿 "}\n
print(pcall(actions.t.echo, { a = "\xff" }))
print(pcall(actions.t.echo, { a = "\u{D800}" }))
print(pcall(actions.t.echo, { ["\xc0\x80"] = 1 }))
print(pcall(actions.t.echo, { a = "\u{7fffffff}" }))
print(json.encode(actions.t.echo({ a = "\0\1\u{7f}\u{10ffff}\u{2028}" })))
