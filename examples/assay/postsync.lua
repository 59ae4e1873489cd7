#!/usr/bin/assay
-- A job that Argo CD runs after a sync, as it was written for Assay: credentials are in Vault, and the service is measured.
--
--   VAULT_TOKEN=… kael-host assay --policy policy.yaml postsync.lua
local vault, prometheus = require("assay.vault"), require("assay.prometheus")
local team = require("assay.team")

local url = env.get("VAULT_ADDR")
vault.wait(url, { timeout = 60, interval = 0.2 })
local c = vault.client(url, env.get("VAULT_TOKEN"))
if not c.engines:list()["secrets/"] then c.engines:enable("secrets", "kv", { options = { version = "2" } }) end

local path = team.path("billing", "database")
local credentials = vault.ensure_credentials(c, path, "password", function()
  return { username = "billing", password = crypto.random(32) }
end)
assert.eq(credentials.username, "billing")
assert.gt(#credentials.password, 31)
vault.assert_secret(c, path, { "username", "password" })

local up = prometheus.query(env.get("PROMETHEUS_URL"), 'count(up{job="billing"} == 1)')
assert.gt(up, 0, "no instance of billing is up")
log.info("after the sync: " .. path .. " is there")
print(path, up)
