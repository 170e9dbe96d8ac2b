-- Charges every key that fits, or none if one that is not optional does not fit. KEYS are
-- the keys; ARGV is the time, then for each key whether it is a window and whether it is
-- optional, what one event costs (of a window: its length), the highest debt (how many
-- events) and the cost of this take, times in microseconds. A key's value is the time at
-- which it owes nothing any more and, of a window, the instants of its events in order.
-- Returns the longest wait, the index of the key that demands it, how many events the
-- scarcest key still allows, and for each key whether it fits.
-- The rule is charge.judge of ratelimit.go; a debt further ahead than it can be shows that a
-- clock was set back.
local now, outOfOrder = tonumber(ARGV[1]), 60000000
local after, setBack = {}, {}
local wait, refused, remaining, fits = 0, 0, -1, {}

local function numbers(text)
	local all = {}
	for n in string.gmatch(text or '', '%d+') do all[#all + 1] = tonumber(n) end
	return all
end

for i, key in ipairs(KEYS) do
	local at = 5 * i - 3
	local window, optional = ARGV[at] == '1', ARGV[at + 1] == '1'
	local interval, limit, cost = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
	local ahead = window and interval or limit
	local stored = after[key] or numbers(redis.call('GET', key))
	if stored[1] and stored[1] > now + ahead + outOfOrder then
		stored[1] = now + ahead
		for n = 2, #stored do stored[n] = math.min(stored[n], now) end
		setBack[key] = stored
	end
	local over, left, new
	if window then
		local events = {}
		for n = 2, #stored do
			if stored[n] > now - interval then events[#events + 1] = stored[n] end
		end
		local more = #events + cost - limit
		over = more > 0 and events[more] + interval - now or 0
		left = limit - #events - cost
		for _ = 1, cost do events[#events + 1] = now end
		table.sort(events)
		new = events
		table.insert(new, 1, events[#events] + interval)
	else
		local due = math.max(stored[1] or now, now)
		over = math.max(0, due + cost - now - limit)
		left = math.floor((limit - (due + cost - now)) / interval)
		new = {due + cost}
	end
	fits[i] = over == 0 and 1 or 0
	if over == 0 then
		if remaining < 0 or left < remaining then remaining = left end
		after[key] = new
	elseif not optional and over > wait then
		wait, refused = over, i
	end
end

local function set(key, value)
	local text = {}
	for n, v in ipairs(value) do text[n] = string.format('%.0f', v) end
	-- The expiry only cleans up: it is relative, and a minute late.
	redis.call('SET', key, table.concat(text, ' '), 'PX', string.format('%.0f', math.ceil((value[1] - now) / 1000) + 60000))
end
for key, value in pairs(setBack) do
	if wait > 0 or not after[key] then set(key, value) end
end
if wait == 0 then
	for key, value in pairs(after) do set(key, value) end
end
return {wait, refused, remaining, unpack(fits)}
