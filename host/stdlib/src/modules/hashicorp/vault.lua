--- @module assay.hashicorp.vault
--- @internal
--- @description The name that newer versions of Assay have for assay.vault.
return require("assay.vault")
