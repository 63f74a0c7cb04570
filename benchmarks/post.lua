-- For wrk, with one thread: post the bodies in turn for some seconds, then let what was sent be
-- answered, and stop. Slow servers would be wronged otherwise: eight requests cut off half-way are
-- a tenth of what the slowest does in five seconds.
--
-- wrk … -s post.lua ADDRESS -- CLIENTS SECONDS CONTENT_TYPE BODY_FILE…

local ffi = require("ffi")
ffi.cdef [[
  struct moment { long seconds; long nanoseconds; };
  int clock_gettime(int clock, struct moment *now);
  int getpid(void);
  int kill(int process, int signal);
]]
local MONOTONIC, INTERRUPT, AN_HOUR_MS = 1, 2, 3600000
local moment = ffi.new("struct moment")
local requests, asked, parked, clients, seconds, start = {}, 0, 0, 0, 0, nil
answered, elapsed, refused = 0, 0, {}

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local function content(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

function init(args)
  clients, seconds = tonumber(args[1]), tonumber(args[2])
  for i = 4, #args do
    local headers = { ["Content-Type"] = args[3] }
    requests[#requests + 1] = wrk.format("POST", nil, headers, content(args[i]))
  end
end

-- wrk asks how long to wait before each request of a connection. When the time is over a
-- connection is parked; when all are, nothing is on its way any more, and wrk is told to end.
function delay()
  start = start or now()
  if now() - start < seconds then return 0 end
  parked = parked + 1
  if parked == clients then ffi.C.kill(ffi.C.getpid(), INTERRUPT) end
  return AN_HOUR_MS
end

function request()
  asked = asked + 1
  return requests[asked % #requests + 1]
end

function response(status)
  answered, elapsed = answered + 1, now() - start
  if status ~= 200 then refused[tostring(status)] = (refused[tostring(status)] or 0) + 1 end
end

local only

function setup(thread)
  only = thread
end

function done(summary, latency)
  local statuses = {}
  for status, count in pairs(only:get("refused")) do
    statuses[#statuses + 1] = string.format('"%s": %d', status, count)
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"answered": %d, "elapsed_s": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, ' ..
    '"refused": {%s}, "unanswered": %d}\n',
    only:get("answered"), only:get("elapsed"),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    table.concat(statuses, ", "),
    errors.connect + errors.read + errors.write + errors.timeout))
end
