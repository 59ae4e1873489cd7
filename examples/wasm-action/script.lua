-- Two actions that are WebAssembly: no envyr, container, Python or Node is needed to run them.
local requests = { 3, 2, 2, 1, 1, 2, 9, 40, 95, 120, 118, 110, 90, 105, 121, 117, 99, 70, 41, 28, 17, 9, 6, 4 }

local quiet = actions.quiet_periods({ values = requests })
print(("quiet for %d hours from %02d:00"):format(quiet.hours, quiet.from))

local deeper = actions.quiet_periods({ values = requests, threshold = 0.02 })
print(("very quiet for %d hours from %02d:00"):format(deeper.hours, deeper.from))

print(json.encode(actions.echo({ greeting = "hello" })))

-- An error of the action's own.
print(select(2, pcall(actions.quiet_periods, { values = "many" })))
