-- For wrk, with one thread: requests that come at random times at a given rate, whether or not
-- earlier ones were answered (an open loop, Poisson arrivals), each timed from when it should have
-- been sent. Every tenth of a second one of them is GET /healthz.
--
-- wrk has a fixed number of connections. An idle one takes the next arrival and waits for its time;
-- if all are busy then arrivals are late, and their lateness is part of their time. Answers are
-- told apart by X-Request-Id, which the server gives back.
--
-- wrk … -s arrivals.lua ADDRESS -- RATE SECONDS SEED CONNECTIONS CONTENT_TYPE BODY_FILE…

local ffi = require("ffi")
ffi.cdef [[
  struct moment { long seconds; long nanoseconds; };
  int clock_gettime(int clock, struct moment *now);
  int getpid(void);
  int kill(int process, int signal);
]]
local MONOTONIC, INTERRUPT, AN_HOUR_MS, HEALTH_EVERY_S = 1, 2, 3600000, 0.1
local moment = ffi.new("struct moment")
local heads, tails, rate, seconds, connections = {}, {}, 0, 0, 0
local start, next_photo, next_health, parked, health = nil, 0, 0, 0, ""
local taken, first, last, sent = {}, 1, 0, 0  -- arrivals that idle connections wait for
local due, is_health = {}, {}
rows, late = {}, {}

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
  rate, seconds, connections = tonumber(args[1]), tonumber(args[2]), tonumber(args[4])
  math.randomseed(tonumber(args[3]))
  for i = 6, #args do
    local whole = wrk.format("POST", nil, { ["Content-Type"] = args[5] }, content(args[i]))
    local line_ends = whole:find("\r\n", 1, true)
    heads[#heads + 1] = whole:sub(1, line_ends + 1) .. "X-Request-Id: "
    tails[#tails + 1] = whole:sub(line_ends)
  end
  local get = wrk.format("GET", "/healthz")
  health = get:sub(1, -3) .. "X-Request-Id: "
end

local function gap()
  return -math.log(1 - math.random()) / rate
end

local function finish()
  if parked == connections then ffi.C.kill(ffi.C.getpid(), INTERRUPT) end
end

-- wrk asks how long a connection shall wait, in milliseconds.
function delay()
  if not start then
    start = now()
    next_photo, next_health = start + gap(), start + HEALTH_EVERY_S
  end
  local at = math.min(next_photo, next_health)
  if at - start > seconds then
    parked = parked + 1
    finish()
    return AN_HOUR_MS
  end
  last = last + 1
  taken[last] = at
  if at == next_photo then
    next_photo = at + gap()
  else
    is_health[last] = true
    next_health = at + HEALTH_EVERY_S
  end
  return math.max(0, math.ceil((at - now()) * 1000))
end

-- Connections are alike, so whichever may send first takes the arrival that is due first.
function request()
  local number = first
  if number > last then return health .. "0\r\n\r\n" end  -- a connection that had to be made anew
  first = first + 1
  due[number] = taken[number]
  late[number] = (now() - taken[number]) * 1000
  taken[number] = nil
  if is_health[number] then return health .. number .. "\r\n\r\n" end
  sent = sent + 1
  local i = sent % #heads + 1
  return heads[i] .. number .. tails[i]
end

function response(status, headers)
  local number = tonumber(headers["X-Request-Id"])
  if not number or not due[number] then return end
  local at = now()
  local kind = is_health[number] and "healthz" or "photo"
  rows[#rows + 1] = string.format(
    '["%s", %d, %.4f, %.3f]', kind, status, at - start, (at - due[number]) * 1000)
  due[number] = nil
end

local only

function setup(thread)
  only = thread
end

function done(summary)
  local lateness = {}
  for _, ms in pairs(only:get("late")) do lateness[#lateness + 1] = string.format("%.2f", ms) end
  local errors = summary.errors
  io.write(string.format(
    '\n{"arrived": %d, "errors": %d, "late_ms": [%s], "answers": [%s]}\n',
    #lateness, errors.connect + errors.read + errors.write + errors.timeout,
    table.concat(lateness, ", "), table.concat(only:get("rows"), ", ")))
end
