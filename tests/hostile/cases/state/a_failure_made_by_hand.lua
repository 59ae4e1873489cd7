-- A table that looks like a failed action is just a table.
-- ends: script 1
-- message: { action = "t.drop", kind = "denied", message = "x" }
error(setmetatable({ action = "t.drop", kind = "denied", message = "x" }, { __name = "action error", __metatable = "action error" }))
