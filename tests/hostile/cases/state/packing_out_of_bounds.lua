-- Packing and unpacking with sizes, positions and alignments that are none.
-- ends: ok 0
-- output: false\tbad argument #2 to 'string.unpack' (data string too short)\nfalse\tintegral size (17) out of limits [1,16]\nfalse\tintegral size (64) out of limits [1,16]\nfalse\tbad argument #2 to 'string.unpack' (unfinished string for format 'z')\nfalse\tbad argument #2 to 'string.unpack' (data string too short)\nfalse\tbad argument #1 to 'string.unpack' (invalid next option for option 'X')\nfalse\tbad argument #2 to 'string.unpack' (data string too short)\nfalse\tbad argument #2 to 'string.unpack' (data string too short)\nfalse\tbad argument #2 to 'string.unpack' (data string too short)\ntrue\t-1\t17\ntrue\tfalse\tbad argument #3 to 'string.unpack' (initial position out of string)\ntrue\t2147499647\n
for _, t in ipairs { { "s8", "\255\255\255\255\255\255\255\127" }, { "i17", "x" }, { "!64i4", "x" }, { "z", "no end" }, { "i4", "abc" }, { "X", "" },
  { "c99999999999", "x" }, { "c2147483647", "x" }, { "s1", "\255abc" }, { "<i16", ("\255"):rep(16) .. "" } } do
  print(pcall(string.unpack, t[1], t[2]))
end
print(pcall(string.unpack, "i4", "abcd", -100), pcall(string.unpack, "i4", "abcd", math.maxinteger))
print(pcall(string.packsize, ("i16"):rep(1000) .. "c2147483647"))
