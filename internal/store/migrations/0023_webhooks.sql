-- +goose Up

-- Where a site is told of events. The lease says which node sends to it; what is
-- in old_secret still signs until old_until.
CREATE TABLE endpoints (
    id            text   PRIMARY KEY,
    site_id       text   NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    url           text   NOT NULL,
    description   text   NOT NULL,
    events        text   NOT NULL,
    secret        bytea  NOT NULL,
    old_secret    bytea,
    old_until     bigint,
    state         text   NOT NULL,
    reason        text   NOT NULL,
    failing_since bigint,
    warned_at     bigint,
    leased_by     text   NOT NULL,
    leased_until  bigint NOT NULL,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL
);
CREATE INDEX endpoints_site ON endpoints (site_id, id);

-- What of an event became of one endpoint. seq is the event's place in the log of
-- the endpoint's site. tries counts since it was queued, attempts ever.
CREATE TABLE deliveries (
    endpoint_id text    NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    seq         bigint  NOT NULL,
    state       text    NOT NULL,
    tries       integer NOT NULL,
    attempts    integer NOT NULL,
    status      integer NOT NULL,
    problem     text    NOT NULL,
    due_at      bigint  NOT NULL,
    created_at  bigint  NOT NULL,
    settled_at  bigint,
    PRIMARY KEY (endpoint_id, seq)
);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_created ON deliveries (created_at);

-- Each request that was made, without its body: that is written anew each time.
CREATE TABLE attempts (
    endpoint_id text    NOT NULL,
    seq         bigint  NOT NULL,
    number      integer NOT NULL,
    started_at  bigint  NOT NULL,
    took        integer NOT NULL,
    status      integer NOT NULL,
    problem     text    NOT NULL,
    request     text    NOT NULL,
    response    text    NOT NULL,
    body        bytea   NOT NULL,
    PRIMARY KEY (endpoint_id, seq, number),
    FOREIGN KEY (endpoint_id, seq) REFERENCES deliveries (endpoint_id, seq) ON DELETE CASCADE
);
