return {
  -- Rust, from ../quiet-periods; a component of WASI 0.2.
  quiet_periods = define_action({
    source = "../impl",
    entrypoint = "quiet_periods.wasm",
    executor = "wasm",
    defaults = { threshold = 0.2 },
    timeout = 10,
    limits = { memory = "64MiB", cpu = "5s" },
  }),
  -- Written by hand, from ../impl/echo.wat; a core module for wasip1.
  echo = define_action({
    source = "../impl",
    entrypoint = "echo.wasm",
    executor = "wasm",
    locked = { by = "hand" },
  }),
}
