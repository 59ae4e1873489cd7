-- Whatever is asked of the tree, a missing name is an error that shows it.
-- action: echo | cat
-- ends: ok 0
-- output: false\tno action '..'\nfalse\tno action '../x'\nfalse\tno action '--help'\nfalse\tno action '-x'\nfalse\tno action 'a b'\nfalse\tno action 't.echo' (did you mean 't.echo'?)\nfalse\tno action '\u{0}' (did you mean 't'?)\nfalse\tno action 'x\ny'\nfalse\tno action '\u{1b}[2J'\nfalse\tno action '\r' (did you mean 't'?)\nfalse\tno action 'kael'\nfalse\tno action 'init'\nfalse\tno action '_G'\nfalse\tno action '__index'\nfalse\tfalse\tfalse\ttrue\n
local a = actions
for _, name in ipairs { "..", "../x", "--help", "-x", "a b", "t.echo", "\0", "x\ny", "\27[2J", "\r", "kael", "init", "_G", "__index" } do
  print(pcall(function() return a[name] end))
end
print(pcall(function() return a.t["echo "] end), pcall(function() return a.kael.print end), pcall(function() return a[1] end), pcall(function() return a[{}] end) == false)
