-- Charges every key or none. KEYS are the keys; ARGV is the time, then for each key the
-- cost of one event, the highest debt and the cost of this take, all in microseconds.
-- A key's value is the time at which its debt is paid off. Returns the longest wait, the
-- index of the key that demands it, and how many events the scarcest key still allows.
-- A debt further ahead than it can be shows that a clock was set back (charge.due).
local now, outOfOrder = tonumber(ARGV[1]), 60000000
local after, setBack = {}, {}
local wait, refused, remaining = 0, 0, -1
for i, key in ipairs(KEYS) do
	local interval, limit, cost = tonumber(ARGV[3*i-1]), tonumber(ARGV[3*i]), tonumber(ARGV[3*i+1])
	local due = after[key] or tonumber(redis.call('GET', key) or '0')
	if due > now + limit + outOfOrder then
		due = now + limit
		setBack[key] = due
	end
	due = math.max(due, now)
	local debt = due + cost - now
	if debt - limit > wait then
		wait, refused = debt - limit, i
	elseif debt <= limit then
		local left = math.floor((limit - debt) / interval)
		if remaining < 0 or left < remaining then remaining = left end
	end
	after[key] = due + cost
end
for key, due in pairs(wait == 0 and after or setBack) do
	-- The expiry only cleans up: it is relative, and a minute late.
	redis.call('SET', key, string.format('%.0f', due), 'PX', string.format('%.0f', math.ceil((due - now) / 1000) + 60000))
end
return {wait, refused, remaining}
