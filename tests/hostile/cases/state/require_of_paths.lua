-- Names that are paths find nothing outside the bundle.
-- ends: ok 0
-- output: false\tmodule '..' not found:\nfalse\tmodule '../x' not found:\nfalse\tmodule '/etc/passwd' not found:\nfalse\tmodule '....etc.passwd' not found:\nfalse\tmodule '.' not found:\nfalse\tmodule '' not found:\nfalse\tmodule '\u{0}' not found:\nfalse\tmodule 'init\u{0}x' not found:\nfalse\tmodule 'a\n
for _, name in ipairs { "..", "../x", "/etc/passwd", "....etc.passwd", ".", "", "\0", "init\0x", "a\nb" } do
  local ok, problem = pcall(require, name)
  print(ok, (problem:gsub("\n.*", "")))
end
