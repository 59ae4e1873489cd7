-- Formats with widths, options and arguments that are none.
-- ends: ok 0
-- output: false\tinvalid conversion specification: '%99999d'\nfalse\tinvalid conversion specification: '%.99999f'\nfalse\tinvalid conversion specification: '%5.200s'\nfalse\tinvalid conversion '%' to 'format'\nfalse\tinvalid conversion '%y' to 'format'\nfalse\tinvalid conversion specification: '%-+ #0.99d'\nfalse\tinvalid conversion specification: '%10.123f'\ntrue\t1\ntrue\t1\nfalse\tinvalid conversion '%n' to 'format'\nfalse\tinvalid conversion '%*' to 'format'\n410\tfalse\tfalse\tbad argument #2 to 'string.format' (no value)\n
for _, f in ipairs { "%99999d", "%.99999f", "%5.200s", "%", "%y", "%-+ #0.99d", "%10.123f", "%q", "%i", "%n", "%*d" } do
  print(pcall(string.format, f, 1))
end
print(#string.format("%99.99f", -1e308), pcall(string.format, "%d", 1.5), pcall(string.format, "%d"))
