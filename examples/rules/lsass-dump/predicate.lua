local PROCESS_VM_READ <const> = 0x10

function pred_eval(event)
  return kestrel.event_get_u64(event, 31) & PROCESS_VM_READ ~= 0
    and kestrel.re_match(1, kestrel.event_get_str(event, 30))
end

function pred_capture(event)
  return { pid = kestrel.event_get_i64(event, 2), access = kestrel.event_get_u64(event, 31) }
end
