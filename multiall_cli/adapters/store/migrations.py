"""The schema of the SQLite store, step by step."""

SCOPES = {"(cp)": ("site", "copy"), "(dns files)": ("site", "zone files"), "(baseline)": ("site", "remedies")}
"""Pools that were none, by name, before locks and runs had scopes."""


def scope_kind(pool: str) -> str:
    """SQL function of step 5: the kind of scope that a pool's name stood for."""
    if pool.startswith("(dns) "):
        return "zone"
    return SCOPES[pool][0] if pool in SCOPES else "pool"


def scope_name(pool: str) -> str:
    """SQL function of step 5: the name of the scope that a pool's name stood for."""
    if pool.startswith("(dns) "):
        return pool[len("(dns) ") :]
    return SCOPES[pool][1] if pool in SCOPES else pool


MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, verb TEXT NOT NULL, pool TEXT NOT NULL, targets TEXT NOT NULL, plan TEXT NOT NULL,
        who TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
        ended REAL, result INTEGER
    ) STRICT;
    CREATE INDEX runs_by_time ON runs (started);
    CREATE TABLE entries (
        run TEXT NOT NULL REFERENCES runs (id), server TEXT NOT NULL, agent TEXT NOT NULL, key TEXT NOT NULL,
        action TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, stage TEXT NOT NULL, detail TEXT NOT NULL,
        at REAL NOT NULL, PRIMARY KEY (run, server, agent, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX open_intents ON entries (server) WHERE stage = 'intent';
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, pool TEXT NOT NULL, server TEXT NOT NULL, run TEXT NOT NULL,
        reason TEXT NOT NULL, at REAL NOT NULL, delivered_by TEXT, delivered_at REAL, UNIQUE (pool, server, run)
    ) STRICT;
    CREATE TABLE owed (
        pool TEXT NOT NULL, server TEXT NOT NULL, agent TEXT NOT NULL, verb TEXT NOT NULL, arguments TEXT NOT NULL,
        run TEXT NOT NULL, PRIMARY KEY (pool, server, verb, arguments)
    ) STRICT;
    CREATE TABLE agreed (
        server TEXT NOT NULL, agent TEXT NOT NULL, snapshot BLOB NOT NULL, run TEXT NOT NULL,
        PRIMARY KEY (server, agent)
    ) STRICT;
    CREATE TABLE standings (
        pool TEXT NOT NULL, server TEXT NOT NULL, state TEXT NOT NULL, run TEXT NOT NULL, reason TEXT NOT NULL,
        at REAL NOT NULL, PRIMARY KEY (pool, server)
    ) STRICT;
    CREATE TABLE cache (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    """,
    """
    CREATE TABLE held (
        vantage TEXT NOT NULL, server TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (vantage, server)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE evidence (
        observer TEXT NOT NULL, target TEXT NOT NULL, rung INTEGER NOT NULL, at REAL NOT NULL, rtt REAL,
        trouble TEXT NOT NULL, lag REAL NOT NULL, PRIMARY KEY (observer, target)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, server TEXT NOT NULL, before TEXT NOT NULL,
        after TEXT NOT NULL, rule TEXT NOT NULL, words TEXT NOT NULL, cause TEXT NOT NULL, evidence TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_of_server ON events (server, id);
    CREATE TABLE planned (
        id INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, what TEXT NOT NULL, begins REAL NOT NULL,
        ends REAL NOT NULL, who TEXT NOT NULL, because TEXT NOT NULL
    ) STRICT;
    CREATE INDEX planned_by_end ON planned (ends);
    """,
    """
    CREATE TABLE health (
        server TEXT PRIMARY KEY, at REAL NOT NULL, code INTEGER NOT NULL, value BLOB NOT NULL
    ) STRICT;
    CREATE TABLE rulesets (id INTEGER PRIMARY KEY, rules TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE looks (
        server TEXT NOT NULL, at REAL NOT NULL, rules INTEGER NOT NULL REFERENCES rulesets (id), samples BLOB NOT NULL,
        PRIMARY KEY (server, at)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX looks_by_time ON looks (at);
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, server TEXT NOT NULL, rule TEXT NOT NULL,
        before INTEGER, after INTEGER NOT NULL, shows TEXT NOT NULL
    ) STRICT;
    CREATE INDEX turns_of_server ON turns (server, id);
    CREATE INDEX turns_by_time ON turns (at);
    CREATE TABLE waivers (
        id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, target TEXT NOT NULL, at REAL NOT NULL,
        ends REAL NOT NULL, who TEXT NOT NULL, because TEXT NOT NULL
    ) STRICT;
    CREATE INDEX waivers_by_end ON waivers (ends);
    """,
    """
    ALTER TABLE runs ADD COLUMN noticed REAL;
    CREATE INDEX runs_by_moment ON runs (coalesce(noticed, started));
    DROP INDEX runs_by_time;
    ALTER TABLE planned ADD COLUMN said REAL NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE held RENAME TO server_states;
    ALTER TABLE planned RENAME TO downtimes;
    ALTER TABLE looks RENAME TO check_samples;
    ALTER TABLE turns RENAME TO transitions;

    CREATE TABLE run_scopes (
        run TEXT NOT NULL REFERENCES runs (id), kind TEXT NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL,
        PRIMARY KEY (kind, name, run)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX scopes_of_run ON run_scopes (run, place);
    INSERT INTO run_scopes SELECT id, SCOPE_KIND(pool), SCOPE_NAME(pool), 0 FROM runs;

    CREATE TABLE new_entries (
        run TEXT NOT NULL REFERENCES runs (id), agent TEXT NOT NULL, subject TEXT NOT NULL, server TEXT NOT NULL,
        key TEXT NOT NULL, action TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, stage TEXT NOT NULL,
        detail TEXT NOT NULL, at REAL NOT NULL, purpose TEXT NOT NULL, PRIMARY KEY (run, agent, subject, key)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_entries
        SELECT entries.run, agent, CASE WHEN agent LIKE 'zones:%' THEN substr(agent, 7) ELSE server END, server, key,
            action, before, after, stage, detail, at, CASE WHEN verb LIKE 'dns rollout%' THEN 'drain' ELSE 'sync' END
        FROM entries JOIN runs ON runs.id = entries.run;
    DROP TABLE entries;
    ALTER TABLE new_entries RENAME TO entries;
    CREATE INDEX open_intents ON entries (subject) WHERE stage = 'intent';
    CREATE INDEX entries_by_agent ON entries (agent, at);

    CREATE TABLE backlog (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, agent TEXT NOT NULL,
        subject TEXT NOT NULL, server TEXT NOT NULL, run TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
        delivered_by TEXT, delivered_at REAL, UNIQUE (run, agent, subject)
    ) STRICT;
    CREATE INDEX open_backlog ON backlog (subject) WHERE delivered_by IS NULL;
    INSERT INTO backlog
        SELECT id, SCOPE_KIND(pool), SCOPE_NAME(pool),
            CASE WHEN SCOPE_KIND(pool) = 'zone' THEN 'zones:' || SCOPE_NAME(pool) ELSE '' END,
            CASE WHEN SCOPE_KIND(pool) = 'zone' THEN SCOPE_NAME(pool) ELSE server END, server, run, reason, at,
            delivered_by, delivered_at
        FROM outbox;
    DROP TABLE outbox;

    CREATE TABLE handlers (
        kind TEXT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL, agent TEXT NOT NULL, verb TEXT NOT NULL,
        arguments TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (kind, name, subject, verb, arguments)
    ) STRICT;
    INSERT INTO handlers SELECT SCOPE_KIND(pool), SCOPE_NAME(pool), server, agent, verb, arguments, run FROM owed
        ORDER BY rowid;
    DROP TABLE owed;

    CREATE TABLE results (
        kind TEXT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, run TEXT NOT NULL,
        reason TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (kind, name, subject)
    ) STRICT;
    INSERT INTO results SELECT SCOPE_KIND(pool), SCOPE_NAME(pool), server, state, run, reason, at FROM standings;
    DROP TABLE standings;

    CREATE TABLE agent_states (
        agent TEXT NOT NULL, subject TEXT NOT NULL, part TEXT NOT NULL, value BLOB NOT NULL, run TEXT NOT NULL,
        PRIMARY KEY (agent, subject, part)
    ) STRICT;
    INSERT INTO agent_states
        SELECT agent, CASE WHEN agent LIKE 'zones:%' THEN substr(agent, 7) ELSE server END,
            CASE WHEN agent LIKE 'zones:%' THEN 'departures' ELSE '' END, snapshot, run
        FROM agreed WHERE true ON CONFLICT DO NOTHING;
    DROP TABLE agreed;
    INSERT INTO agent_states SELECT 'zones:' || shown, shown, part, value, '' FROM (
        SELECT coalesce(nullif(rtrim(substr(key, length(prefix) + 1), '.'), ''), '.') AS shown, part, value
        FROM cache JOIN (
            SELECT 'zone seen:' AS prefix, 'names' AS part UNION SELECT 'zone members:', 'members'
            UNION SELECT 'zone late:', 'late' UNION SELECT 'zone pushed:', 'pushed'
        ) ON substr(key, 1, length(prefix)) = prefix
    ) WHERE true ON CONFLICT DO NOTHING;
    INSERT INTO agent_states
        SELECT 'baseline', substr(key, 8, instr(substr(key, 8), ':') - 1),
            substr(key, 8 + instr(substr(key, 8), ':')), value, ''
        FROM cache WHERE key LIKE 'remedy:%' ON CONFLICT DO NOTHING;
    INSERT INTO agent_states SELECT 'topology', 'site', 'published', value, '' FROM cache
        WHERE key = 'topology:published';
    INSERT INTO agent_states SELECT 'store', 'site', 'id', value, '' FROM cache WHERE key = 'store id';
    DELETE FROM cache WHERE substr(key, 1, 5) = 'zone ' OR substr(key, 1, 7) = 'remedy:'
        OR key IN ('topology:published', 'store id');

    DROP INDEX runs_by_moment;
    ALTER TABLE runs DROP COLUMN pool;
    CREATE INDEX runs_by_moment ON runs (coalesce(noticed, started));
    """,
    """
    -- The key's columns come first: else the integrity check of SQLite 3.40 reports values as NULL that are not.
    CREATE TABLE new_entries (
        run TEXT NOT NULL REFERENCES runs (id), agent TEXT NOT NULL, subject TEXT NOT NULL, key TEXT NOT NULL,
        turn INTEGER NOT NULL, server TEXT NOT NULL, action TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
        stage TEXT NOT NULL, detail TEXT NOT NULL, at REAL NOT NULL, purpose TEXT NOT NULL,
        PRIMARY KEY (run, agent, subject, key, turn)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_entries
        SELECT run, agent, subject, key, 0, server, action, before, after, stage, detail, at, purpose FROM entries;
    DROP TABLE entries;
    ALTER TABLE new_entries RENAME TO entries;
    CREATE INDEX open_intents ON entries (subject) WHERE stage = 'intent';
    CREATE INDEX entries_by_agent ON entries (agent, at);
    """,
)
"""Each step takes the schema one version up; a step is never edited once it is released."""
