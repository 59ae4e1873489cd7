-- Code points and positions that are none.
-- ends: ok 0
-- output: false\tfalse\t6\nfalse\tfalse\tstack overflow (string slice too long)\ntrue\tfalse\tfalse\tinvalid UTF-8 code\n1\t97\n2\t233\nfalse\tscript.lua:8: invalid UTF-8 code\n
print(pcall(utf8.char, -1), pcall(utf8.char, 0x80000000), #utf8.char(0x7fffffff))
print(pcall(utf8.codepoint, "abc", 1, 9), pcall(utf8.codepoint, ("x"):rep(3e6), 1, -1))
print(pcall(utf8.len, "\xff"), pcall(utf8.offset, "abc", 1, math.mininteger), pcall(utf8.codepoint, "\u{D800}"))
for p, c in utf8.codes("aé") do print(p, c) end
print(pcall(function() for _ in utf8.codes("\xff") do end end))
