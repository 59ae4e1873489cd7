-- The tree that scripts see as `actions`.
return { fleet = require("fleet") }
