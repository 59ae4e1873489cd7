local function action(effects, params)
  return define_action({
    source = "../impl", entrypoint = "echo.sh", executor = "native", effects = effects,
    params = params, defaults = { env = "dev" },
  })
end

return {
  deploy = {
    status = action("none"),
    scale = action("idempotent", { replicas = "integer", env = "string" }),
    delete = action("once"),
  },
}
