-- The report of a failure does not depend on changes of the error value.
-- action: no | echo really >&2; exit 3
-- ends: failed 6
-- message: t.no failed: really
-- output: action error\tfalse\tcannot change a protected metatable\n
local _, e = pcall(actions.t.no, {})
print(getmetatable(e), pcall(setmetatable, e, {}))
for k in next, e do e[k] = "denied" end
error(e)
