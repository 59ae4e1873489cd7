-- Formats and times that are none.
-- ends: ok 0
-- output: false\tfalse\tfalse\tfalse\tfalse\tdate result cannot be represented in this installation\nfalse\tfalse\tfalse\tfield 'year' missing in date table\n24000\n
print(pcall(os.date, "%Ez", 0), pcall(os.date, "%", 0), pcall(os.date, "%Q"), pcall(os.date, "*t", 2^60), pcall(os.date, "%c", math.maxinteger))
print(pcall(os.time, { year = math.maxinteger, month = 1, day = 1 }), pcall(os.time, { year = 1e300, month = 1, day = 1 }), pcall(os.time, {}))
print(pcall(os.date, ("%c"):rep(1000), 0) and #os.date(("%c"):rep(1000), 0))
