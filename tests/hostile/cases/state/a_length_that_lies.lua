-- A __len or __index that lies about a table's size is bounded or refused where it is used.
-- ends: ok 0
-- output: true\tfalse\tfalse\ttrue\nfalse\ttrue\tfalse\tobject length is not an integer\n{}\t{}\n0\t{}\t(no rows)\t(no rows)\t[]\ttrue\tnil\n
local function liar(n) return setmetatable({}, { __len = function() return n end, __index = function(_, i) return i end }) end
print(pcall(table.concat, liar(3), ","), pcall(table.unpack, liar(1e9)), pcall(table.unpack, liar("x")), pcall(table.insert, liar(math.maxinteger), 1))
print(pcall(table.sort, liar(2^40)), pcall(table.sort, liar(-5)), pcall(table.remove, liar(1.5)))
print(json.encode(liar(1e9)), inspect(liar(0)))
local mute = liar("x")
print(#pluck(mute, "a"), inspect(mute), report.table(mute), report.markdown(mute), report.json(mute),
  pcall(report.chart, "line", { { a = 1 } }, { y = setmetatable({ "a" }, { __len = function() return {} end }) }))
