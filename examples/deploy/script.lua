-- What the team's policy allows, and what it does not.
local function try(action, params)
  local ok, answer = pcall(action, params)
  print(ok, ok and answer.env or answer.kind, ok and "" or answer.detail.rule)
end

try(actions.deploy.scale, { replicas = 3 })
try(actions.deploy.scale, { replicas = 3, env = "prod" })
try(actions.deploy.delete, {})
