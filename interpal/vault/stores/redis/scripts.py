"""The Lua scripts of the Redis store: each is one step that happens whole or not at all.

What a script refuses it checks before its first write, and its first write is one that Redis
refuses where memory has run out: so an error leaves nothing half done.

Keys, all in the hash slot of `{prefix}` (tags are base64url, ids hexadecimal):

    {prefix}:root               hash: id, d (the root), m (the mark of a rotation)
    {prefix}:write              the write lock: random token, host and pid; expires
    {prefix}:login:<tag>        a login lock, likewise
    {prefix}:fence              hash: tag -> the count of its login lock; never expires
    {prefix}:<id>:index         set: the tags of the vault's records
    {prefix}:<id>:r:<tag>       hash: g (generation), d (the envelope)
    {prefix}:sets               set: ids whose records were left by a rotation that broke off
    {prefix}:<id>:filled        hash: n (records), g (the sum of their generations) so far, of the
                                set that a rotation is writing

The mark is the token of the write lock that the rotation holds, so it ends with that lock.
"""

from __future__ import annotations


class Script:
    """The text of a script, and its SHA-1, by which Redis knows it once it has seen it.

    *lasts*: it writes what must not be lost in a failover. *settles*: with the value
    `again` after the others it does nothing where it was run before, and says so.
    """

    __slots__ = ("_sha", "lasts", "settles", "text")

    def __init__(self, text: str, *, lasts: bool = False, settles: bool = False) -> None:
        self.text = text
        self.settles = settles
        self.lasts = lasts
        self._sha = ""

    @property
    def sha(self) -> str:
        """40 hexadecimal digits: the name of the script, not a protection."""
        if not self._sha:
            import hashlib

            self._sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        return self._sha


# Replies of those that have changed nothing.
NOTHING_WRITTEN = (0, b"vault", b"lock", b"busy", b"fence", b"record", b"lost", b"taken")

TRY = Script(
    """
-- a key that nothing has: all that changes keys, those that may leave something last
local key = KEYS[1]
redis.call('DEL', key)
redis.call('HDEL', key, 'a')
redis.call('SREM', key, 'a')
redis.call('PEXPIRE', key, 1)
redis.call('PERSIST', key)
redis.call('SET', key, '', 'PX', 1000)
redis.call('DEL', key)
redis.call('HSET', key, 'a', '')
redis.call('DEL', key)
redis.call('SADD', key, 'a')
redis.call('DEL', key)
redis.call('TIME')
return 1
"""
)

READ_MANY = Script(
    """
-- index, records…; tags… -> envelopes; what has expired leaves the index
local found = {}
for i = 2, #KEYS do
    local data = redis.call('HGET', KEYS[i], 'd')
    found[i - 1] = data
    if not data then redis.call('SREM', KEYS[1], ARGV[i - 1]) end
end
return found
"""
)

LOCK = Script(
    """
-- lock, root, write, fence; token, life in ms, tag or '' -> 0 where another holds it, else the
-- fence, or for the write lock the root's id and the root. The fence grows with the server's
-- clock too: a server that lost its last second grows past it.
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return redis.call('HMGET', KEYS[2], 'id', 'd')
end
local mark = redis.call('HGET', KEYS[2], 'm')
if mark and mark == redis.call('GET', KEYS[3]) then return 0 end
local last = tonumber(redis.call('HGET', KEYS[4], ARGV[3]) or '0')
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if held and last > 0 then return last end
local time = redis.call('TIME')
local fence = math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[4], ARGV[3], string.format('%.0f', fence))
return fence
""",
    lasts=True,
)

LOGINS = Script(
    """
-- fence, what login locks begin with -> 1 where one is held, else 0
for _, tag in ipairs(redis.call('HKEYS', KEYS[1])) do
    if redis.call('EXISTS', KEYS[2] .. tag) == 1 then return 1 end
end
return 0
"""
)

RENEW = Script(
    """
-- lock; token, life in ms -> 1, or 0 where it is not ours any more
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
)

RELEASE = Script(
    """
-- lock; token
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
)

# Writes one record. The index knows one that was there before. The server's clock counts, and
# whatever that says, what was just saved stays for seven days.
_PUT = """
local function put(index, key, tag, expected, generation, ends, data)
    if data == '' then
        redis.call('DEL', key)
        redis.call('SREM', index, tag)
        return
    end
    if expected == '0' then redis.call('SADD', index, tag) end
    redis.call('HSET', key, 'g', generation, 'd', data)
    if ends ~= '' then
        local time = redis.call('TIME')
        local life = ends - (time[1] * 1000 + math.floor(time[2] / 1000))
        redis.call('PEXPIRE', key, string.format('%.0f', math.max(life, 604800000)))
    elseif expected ~= '0' then
        redis.call('PERSIST', key)
    end
end
"""

COMMIT = Script(
    _PUT
    + """
-- root, write, fence, index, records…; id, token or '', root or '', fence's tag or '', fence,
-- then (tag, expected, generation, end, envelope)…, then 'again' where it is sent once more
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 'vault' end
local holder = redis.call('GET', KEYS[2])
local refusal = false
if ARGV[2] ~= '' then
    if holder ~= ARGV[2] then refusal = 'lock' end
elseif holder then
    refusal = 'busy'
end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[3], ARGV[4]) ~= ARGV[5] then
    refusal = refusal or 'fence'
end
for i = 5, #KEYS do
    if (redis.call('HGET', KEYS[i], 'g') or '0') ~= ARGV[(i - 5) * 5 + 7] then
        refusal = refusal or 'record'
    end
end
if refusal and ARGV[#ARGV] == 'again' then
    -- Sent a second time, since the reply to the first was lost: what is there may be its own.
    local kept = 0
    for i = 5, #KEYS do
        local data = ARGV[(i - 5) * 5 + 10]
        local had = redis.call('HGET', KEYS[i], 'd') or ''
        if had ~= data then return refusal end
        if data ~= '' then kept = kept + 1 end
    end
    if kept == 0 then return refusal end
    if ARGV[3] ~= '' and redis.call('HGET', KEYS[1], 'd') ~= ARGV[3] then return refusal end
    return 'ok'
end
if refusal then return refusal end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'd', ARGV[3]) end
for round = 1, 2 do
    -- What makes larger goes first: where memory has run out it is refused, with all the rest.
    for i = 5, #KEYS do
        local a = (i - 5) * 5 + 6
        if (ARGV[a + 4] == '') == (round == 2) then
            put(KEYS[4], KEYS[i], unpack(ARGV, a, a + 4))
        end
    end
end
if holder then redis.call('DEL', KEYS[2]) end
return 'ok'
""",
    lasts=True,
    settles=True,
)

SAVE = Script(
    """
-- root, write; token, root, id or '' -> the id
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
local id = ARGV[3]
if id == '' then id = redis.call('HGET', KEYS[1], 'id') end
if not id then return 'vault' end
redis.call('HSET', KEYS[1], 'id', id, 'd', ARGV[2])
redis.call('HDEL', KEYS[1], 'm')
redis.call('DEL', KEYS[2])
return id
""",
    lasts=True,
)

REMOVE = Script(
    """
-- root, write, fence, sets; token -> the id whose records are to go, or ''
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
local id = redis.call('HGET', KEYS[1], 'id')
if id then redis.call('SADD', KEYS[4], id) end
redis.call('DEL', KEYS[1], KEYS[3], KEYS[2])
return id or ''
""",
    lasts=True,
)

SET_ASIDE = Script(
    """
-- root, write, new name; token, id, root as seen
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[2] then return 'vault' end
if redis.call('HGET', KEYS[1], 'd') ~= ARGV[3] then return 'vault' end
if redis.call('EXISTS', KEYS[3]) == 1 then return 'taken' end
redis.call('RENAME', KEYS[1], KEYS[3])
redis.call('DEL', KEYS[2])
return 'ok'
""",
    lasts=True,
)

MARK = Script(
    """
-- root, write, sets; token, old id, new id
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[2] then return 'vault' end
redis.call('HSET', KEYS[1], 'm', ARGV[1])
redis.call('SADD', KEYS[3], ARGV[3])
return 'ok'
"""
)

FILL = Script(
    _PUT
    + """
-- write, new index, filled, records…; token, n and g before, n and g after, then
-- (tag, generation, end, envelope)… A server that was put in the place of another, or has started
-- anew, may lack what went before: what it has is a beginning of what was written, so counting
-- what is there proves that all of it is.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lock' end
local had = redis.call('HMGET', KEYS[3], 'n', 'g')
if (had[1] or '0') ~= ARGV[2] or (had[2] or '0') ~= ARGV[3] then return 'lost' end
for i = 4, #KEYS do
    local a = (i - 4) * 4 + 6
    put(KEYS[2], KEYS[i], ARGV[a], '0', unpack(ARGV, a + 1, a + 3))
end
redis.call('HSET', KEYS[3], 'n', ARGV[4], 'g', ARGV[5])
return 'ok'
""",
    lasts=True,
)

SWAP = Script(
    """
-- root, write, fence, sets, filled; token, old id, new id, root, n, g
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lock' end
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[2] then return 'vault' end
local had = redis.call('HMGET', KEYS[5], 'n', 'g')
if (had[1] or '0') ~= ARGV[5] or (had[2] or '0') ~= ARGV[6] then return 'lost' end
redis.call('HSET', KEYS[1], 'id', ARGV[3], 'd', ARGV[4])
redis.call('DEL', KEYS[5])
redis.call('HDEL', KEYS[1], 'm')
redis.call('SADD', KEYS[4], ARGV[2])
redis.call('SREM', KEYS[4], ARGV[3])
redis.call('DEL', KEYS[2])
return 'ok'
""",
    lasts=True,
)

DROP = Script(
    """
-- root, index, records…; id, tags… : never those of the vault that the root is
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then return 0 end
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
for i = 2, #ARGV do redis.call('SREM', KEYS[2], ARGV[i]) end
return 1
"""
)
