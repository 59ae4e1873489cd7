-- A pattern that recurses at every character is an error.
-- ends: ok 0
-- output: false\tpattern too complex\nfalse\nfalse\tfalse\tfalse\tfalse\tfalse\tinvalid capture index %9\n
print(pcall(string.find, ("x"):rep(300000), (".?"):rep(300000)))
print(pcall(string.rep, "(", 100) and pcall(string.find, "x", ("("):rep(100)))
print(pcall(string.find, "x", "%"), pcall(string.find, "x", "[a"), pcall(string.find, "x", "%b"), pcall(string.find, "x", "%f"), pcall(string.find, "x", "%9"))
