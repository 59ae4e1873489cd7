local CHANGES <const> = { create = true, update = true, patch = true, delete = true }

function pred_eval(event)
  local status = kestrel.event_get_i64(event, 61)
  return kestrel.event_get_str(event, 12) == "system:anonymous"
    and CHANGES[kestrel.event_get_str(event, 60)] and status >= 200 and status < 300
end

function pred_capture(event)
  return { verb = kestrel.event_get_str(event, 60) }
end
