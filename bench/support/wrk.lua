-- Sends the requests of a file in turn and looks at each answer: wrk … -- <file>. In the file stand what each answer must
-- contain (or nothing) and then the requests as they go over the wire, each ended by a NUL.
local threads, requests, at = {}, {}, 0
local marker

-- Read by done(), which runs in a state of its own.
failures, sample = 0, ""

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  for piece in io.open(args[1], "rb"):read("*a"):gmatch("(%Z*)%z") do
    if marker then requests[#requests + 1] = piece else marker = piece end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function response(status, _, body)
  if status == 200 and (marker == "" or body:find(marker, 1, true)) then return end
  failures = failures + 1
  if sample == "" then sample = "status " .. status .. " " .. body:sub(1, 300) end
end

function done(summary, latency)
  local failed, said = 0, ""
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("failures")
    if said == "" then said = thread:get("sample") end
  end
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  if said == "" then said = string.format("%d connections broke", broken) end
  print(string.format("\n%d %d %g %g %d %d %s", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed, broken, (said:gsub("%s+", " "))))
end
