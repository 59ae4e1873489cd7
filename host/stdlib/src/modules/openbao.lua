--- @module assay.openbao
--- @description OpenBao: the same as assay.vault, whose API it has.
--- @category security
--- @keywords openbao, vault, secrets, kv, policies, transit, pki, tokens
--- @same assay.vault
--- @quickref M.client(url, token, opts?) -> c | as assay.vault
return require("assay.vault")
