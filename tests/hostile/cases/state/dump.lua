-- There is no string.dump.
-- ends: ok 0
-- output: nil\n
print(string.dump)
