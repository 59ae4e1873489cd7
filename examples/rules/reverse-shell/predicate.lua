local PID, NAME, ARGS, PARENT = 2, 3, 5, 7

function pred_eval(event)
  local args = kestrel.event_get_str(event, ARGS)
  if args:find("bash%s+%-i") then return true end
  return kestrel.event_get_str(event, NAME) == "bash"
    and kestrel.event_get_str(event, PARENT):find("/java$") ~= nil
end

function pred_capture(event)
  return {
    ["process.pid"] = kestrel.event_get(event, PID),
    ["process.args"] = kestrel.event_get(event, ARGS),
  }
end
