-- Gives back to each key. ARGV is the time, the time at which it was charged, then for each
-- key whether it is a window, of a window its length, and the cost, times in microseconds.
-- A key that is gone owes nothing and stays gone. The rule is charge.giveBack.
local now, at = tonumber(ARGV[1]), tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
	local window, interval, cost = ARGV[3 * i] == '1', tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
	local stored = redis.call('GET', key)
	if stored then
		local left = {}
		for n in string.gmatch(stored, '%d+') do left[#left + 1] = tonumber(n) end
		if window then
			local kept = {0}
			for n = 2, #left do
				if left[n] == at and cost > 0 then
					cost = cost - 1
				else
					kept[#kept + 1] = left[n]
				end
			end
			if #kept > 1 then kept[1] = kept[#kept] + interval end
			left = kept
		else
			left = {left[1] - math.min(math.max(cost - (now - at), 0), cost)}
		end
		if left[1] <= now then
			redis.call('DEL', key)
		else
			local text = {}
			for n, v in ipairs(left) do text[n] = string.format('%.0f', v) end
			redis.call('SET', key, table.concat(text, ' '), 'KEEPTTL')
		end
	end
end
return 0
