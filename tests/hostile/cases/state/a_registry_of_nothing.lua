-- C functions get values of wrong types.
-- ends: ok 0
-- output: \nstill here\n
for name, lib in pairs({ string = string, table = table, utf8 = utf8, math = math, coroutine = coroutine, json = json }) do
  for f, call in pairs(lib) do
    if type(call) == "function" and f ~= "yield" then
      for _, v in ipairs { false, 0/0, math.mininteger, "", {}, print, coroutine.create(print), json.null } do
        pcall(call, v) pcall(call, v, v) pcall(call, v, v, v) pcall(call, "x", v, v)
      end
    end
  end
end
print("still here")
