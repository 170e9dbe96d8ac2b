-- Gives back to each key. ARGV is the time, then for each key the amount, in
-- microseconds. A key that is gone owes nothing and stays gone.
local now = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
	local stored = redis.call('GET', key)
	if stored then
		local due = tonumber(stored) - tonumber(ARGV[i+1])
		if due <= now then
			redis.call('DEL', key)
		else
			redis.call('SET', key, string.format('%.0f', due), 'KEEPTTL')
		end
	end
end
return 0
