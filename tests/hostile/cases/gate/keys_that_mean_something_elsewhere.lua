-- Keys that are flags, prototypes, paths or empty are keys.
-- action: echo | cat
-- ends: ok 0
-- output: {"":"","$(id)":"`id`","--rm":"-rf /","../x":1,"__proto__":{"x":1},"a\u0000b":2,"a=b":"\n","constructor":1}\n
print(json.encode(actions.t.echo({ __proto__ = { x = 1 }, constructor = 1, ["--rm"] = "-rf /", ["$(id)"] = "`id`", [""] = "", ["a=b"] = "\n", ["../x"] = 1, ["a\0b"] = 2 })))
