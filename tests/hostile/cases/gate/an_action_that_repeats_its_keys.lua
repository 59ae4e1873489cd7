-- The last of two equal keys counts.
-- action: a | echo '{"a":1,"a":{"b":1},"a":2,"__proto__":{"x":1}}'
-- ends: ok 0
-- output: {"__proto__":{"x":1},"a":2}\n
print(json.encode(actions.t.a({})))
