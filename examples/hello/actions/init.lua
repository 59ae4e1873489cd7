-- The tree that scripts see as `actions`.
return { text = require("text") }
