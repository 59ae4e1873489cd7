-- More output than a pipe holds, before the parameters are read.
-- action: a | head -c 1000000 /dev/zero | tr '\0' ' '; cat
-- ends: ok 0
-- output: 1000000\n
print(#actions.t.a({ s = ("x"):rep(1000):rep(1000) }).s)
