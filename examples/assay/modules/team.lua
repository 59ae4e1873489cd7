--- @module assay.team
--- @description Names that the team has agreed on.
--- @quickref M.path(service, what) -> string | where a secret lies
local M = {}

function M.path(service, what) return ("apps/%s/%s"):format(service, what) end

return M
