for _, t in ipairs { { "s8", "\255\255\255\255\255\255\255\127" }, { "i17", "x" }, { "!64i4", "x" }, { "z", "no end" }, { "i4", "abc" }, { "X", "" },
  { "c99999999999", "x" }, { "c2147483647", "x" }, { "s1", "\255abc" }, { "<i16", ("\255"):rep(16) .. "" } } do
  print(pcall(string.unpack, t[1], t[2]))
end
print(pcall(string.unpack, "i4", "abcd", -100), pcall(string.unpack, "i4", "abcd", math.maxinteger))
print(pcall(string.packsize, ("i16"):rep(1000) .. "c2147483647"))
