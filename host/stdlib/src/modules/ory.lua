--- @module assay.ory
--- @description Ory: identities (Kratos), OAuth 2 (Hydra), permissions (Keto), and roles over Keto.
--- @category security
--- @keywords ory, kratos, hydra, keto, rbac, identity, permissions, oauth2
--- @quickref M.connect(opts) -> {kratos, hydra, keto} | kratos_public, kratos_admin, hydra_public, hydra_admin, keto_read, keto_write
--- @quickref M.kratos.client(opts) -> assay.ory.kratos.c | assay.ory.kratos
--- @quickref M.hydra.client(opts) -> assay.ory.hydra.c | assay.ory.hydra
--- @quickref M.keto.client(read_url, opts?) -> assay.ory.keto.c | assay.ory.keto
--- @quickref M.rbac.policy(opts) -> assay.ory.rbac.p | assay.ory.rbac
local PARTS <const> = { kratos = true, hydra = true, keto = true, rbac = true }

-- A part is loaded when it is first used.
local M = setmetatable({}, {
  __index = function(self, name)
    if not PARTS[name] then return nil end
    local part = require("assay.ory." .. name)
    rawset(self, name, part)
    return part
  end,
})

--- The clients of those services whose addresses are given.
function M.connect(opts)
  opts = opts or {}
  local made = {}
  if opts.kratos_public or opts.kratos_admin then
    made.kratos = M.kratos.client({ public_url = opts.kratos_public, admin_url = opts.kratos_admin })
  end
  if opts.hydra_public or opts.hydra_admin then
    made.hydra = M.hydra.client({ public_url = opts.hydra_public, admin_url = opts.hydra_admin })
  end
  if opts.keto_read then made.keto = M.keto.client(opts.keto_read, { write_url = opts.keto_write }) end
  return made
end

return M
