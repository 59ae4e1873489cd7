-- Sources that Lua's grammar does not hold.
-- ends: ok 0
-- output: nil\ts:1: no visible label 'x' for <goto> at line 1\nnil\ts:1: break outside loop near 'break'\nnil\ts:1: attempt to assign to const variable 'x'\nnil\ts:1: unknown attribute 'foo'\nnil\ts:1: label 'a' already defined on line 1\nnil\ts:1: unexpected symbol near 'return'\nnil\ts:1: ',' expected near 'do'\nnil\ts:1: UTF-8 value too large near ''\u{80000000'\nnil\ts:1: decimal escape too large near ''\400''\nnil\ts:1: unfinished long string (starting at line 1) near <eof>\nnil\ts:1: unfinished long comment (starting at line 1) near <eof>\nnil\ts:1: malformed number near '0x'\nnil\ts:1: malformed number near '1..2'\nnil\ts:1: unexpected symbol\nnil\ts:1: unfinished string near ''a'\nfunction: *\nnil\ts:1: cannot use '...' outside a vararg function near '...'\n
for _, source in ipairs { "goto x", "break", "local x <const> = 1 x = 2", "local x <foo> = 1", "::a:: ::a::", "return return", "for i = 1 do end",
  "x = '\\u{80000000}'", "x = '\\400'", "x = [==[", "--[==[", "x = 0x", "x = 1..2", "\0", "x = 'a\nb'", "return ...", "function f() return ... end" } do
  print(load(source, "=s"))
end
