-- Large integers and floats go out and come back as they are.
-- action: echo | cat
-- ends: ok 0
-- output: a\ttrue\ttrue\t9007199254740992.0\nb\ttrue\ttrue\t9007199254740993\nc\ttrue\ttrue\t9223372036854775807\nd\ttrue\ttrue\t-9223372036854775808\ne\ttrue\ttrue\t9.2233720368547758e+18\nf\ttrue\ttrue\t4.94065645841247e-324\ng\ttrue\ttrue\t1.7976931348623157e+308\nh\ttrue\ttrue\t-0.0\ni\ttrue\ttrue\t0.1\n
local p = { a = 2^53 + 1, b = (1 << 53) + 1, c = math.maxinteger, d = math.mininteger, e = 2^63, f = 5e-324, g = 1.7976931348623157e308, h = -0.0, i = 0.1 }
local r = actions.t.echo(p)
for _, k in ipairs(keys(p)) do print(k, p[k] == r[k], math.type(p[k]) == math.type(r[k]), r[k]) end
