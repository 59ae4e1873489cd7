function pred_eval(event)
  local args = kestrel.event_get_str(event, kestrel.field("process.args"))
  return kestrel.re_match(1, args) and kestrel.re_match(2, args)
end

function pred_capture(event)
  local args = kestrel.event_get_str(event, kestrel.field("process.args"))
  return { url = args:match("https?://%S+"), user = kestrel.event_get_str(event, kestrel.field("user.name")) }
end
