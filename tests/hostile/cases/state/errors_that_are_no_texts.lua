-- Anything can be raised.
-- ends: script 1
-- message: <no error object>
-- output: number\nboolean\ntable\nfunction\nthread\nuserdata\nfalse\t<no error object>\n
for _, e in ipairs { 5, true, {}, print, coroutine.create(print), json.null } do print(type(select(2, pcall(error, e)))) end
print(pcall(error))
error(nil)
