-- The results store, schema version 2. Tables hold what was measured and what made it; views.sql holds
-- what follows from it. Layers count 0 (embeddings), 1..L; heads 1..H; steps are optimiser updates.

CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- What was trained. `recipe` is JSON text.
CREATE TABLE runs (
    run VARCHAR PRIMARY KEY,
    family VARCHAR NOT NULL,              -- albert, bert, electra …
    objective VARCHAR,                    -- e.g. 'mlm+sop'
    total_steps INTEGER,                  -- steps the recipe asks for; NULL where unknown
    layers INTEGER, heads INTEGER, hidden INTEGER, parameters BIGINT,
    recipe VARCHAR, corpus VARCHAR,
    source VARCHAR NOT NULL               -- where the checkpoints were read from
);

CREATE TABLE checkpoints (
    run VARCHAR NOT NULL, step INTEGER NOT NULL,
    uri VARCHAR NOT NULL,
    weights_hash VARCHAR NOT NULL,        -- SHA-256 of the weights file
    vocab VARCHAR NOT NULL,               -- digest of the tokenizer: joins vocabularies
    bytes BIGINT NOT NULL,
    PRIMARY KEY (run, step)
);

-- One row a checkpoint's task (and dataset, protocol, seed): what made the numbers.
CREATE TABLE evaluations (
    run VARCHAR NOT NULL, step INTEGER NOT NULL, task VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL, protocol VARCHAR NOT NULL, seed INTEGER NOT NULL,
    data_hash VARCHAR NOT NULL,           -- digest of the dataset as it was read ('' where a task needs none)
    inputs_hash VARCHAR NOT NULL,         -- digest of everything in `inputs`
    inputs VARCHAR NOT NULL,              -- JSON: weights, tokenizer, data, version, protocol, dtype, seed, options
    status VARCHAR NOT NULL,              -- 'done' or 'failed'
    error VARCHAR,
    started TIMESTAMP NOT NULL, finished TIMESTAMP NOT NULL,   -- UTC
    host VARCHAR NOT NULL, device VARCHAR NOT NULL, dtype VARCHAR NOT NULL,
    versions VARCHAR NOT NULL             -- JSON: library versions
);

-- One row a number. label 'all' is the whole dataset; layer and head are NULL where they do not apply.
CREATE TABLE metrics (
    run VARCHAR NOT NULL, step INTEGER NOT NULL, task VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL, protocol VARCHAR NOT NULL, seed INTEGER NOT NULL,
    metric VARCHAR NOT NULL, label VARCHAR NOT NULL, layer UTINYINT, head USMALLINT,
    value DOUBLE, n INTEGER, stderr DOUBLE, low DOUBLE, high DOUBLE
);

CREATE TABLE datasets (
    dataset VARCHAR NOT NULL, data_hash VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,                -- words, facts, sentences, edges
    uri VARCHAR NOT NULL, sentences INTEGER, items INTEGER NOT NULL,
    report VARCHAR NOT NULL,              -- JSON: what the reader counted and left out, and why
    PRIMARY KEY (dataset, data_hash)
);

-- The words of a dataset, in reading order; word_id is the bit of `outcomes`.
CREATE TABLE words (
    dataset VARCHAR NOT NULL, data_hash VARCHAR NOT NULL, word_id INTEGER NOT NULL,
    sentence_id INTEGER NOT NULL, position INTEGER NOT NULL,   -- both from 0
    form VARCHAR NOT NULL, tag VARCHAR NOT NULL,               -- tag: Penn (XPOS)
    rank INTEGER NOT NULL                                      -- of the lower-cased form by frequency, from 1
);

-- One bit a word: 1 where it was right. Bits fill a byte from the highest (numpy.packbits).
CREATE TABLE outcomes (
    run VARCHAR NOT NULL, step INTEGER NOT NULL, task VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL, protocol VARCHAR NOT NULL, seed INTEGER NOT NULL,
    n INTEGER NOT NULL,
    bits BLOB NOT NULL USING COMPRESSION uncompressed           -- commits rewrite up to 2,048 rows of earlier ones
);

-- Training log: `checkpoint` is the first saved step at or after `step`.
CREATE TABLE train_log (
    run VARCHAR NOT NULL, checkpoint INTEGER NOT NULL, step INTEGER NOT NULL,
    metric VARCHAR NOT NULL, value DOUBLE
);

CREATE TABLE vocabularies (vocab VARCHAR NOT NULL, token_id UINTEGER NOT NULL, token VARCHAR NOT NULL);

CREATE TABLE relations (
    dataset VARCHAR NOT NULL, relation VARCHAR NOT NULL,
    template VARCHAR NOT NULL, type VARCHAR, name VARCHAR,     -- type: 1-1, N-1, N-M
    PRIMARY KEY (dataset, relation)
);

-- A fact is the same fact in every run and dataset of a store.
CREATE TABLE facts (
    fact_id INTEGER PRIMARY KEY,
    relation VARCHAR NOT NULL, subject VARCHAR NOT NULL, object VARCHAR NOT NULL, uuid VARCHAR,
    UNIQUE (relation, subject, object)
);

-- One row a fact and step. Ranks count from 1. `_common`: among the common vocabulary only (protocol lama).
CREATE TABLE lama (
    run VARCHAR NOT NULL, step INTEGER NOT NULL, dataset VARCHAR NOT NULL, seed INTEGER NOT NULL,
    fact_id INTEGER NOT NULL,
    gold_rank UINTEGER NOT NULL, gold_logp FLOAT NOT NULL,
    gold_rank_common UINTEGER, gold_logp_common FLOAT,
    tokens UINTEGER[10] NOT NULL, logps FLOAT[10] NOT NULL,    -- top 10 of the whole vocabulary; 3 decimals
    echo UINTEGER[]                                            -- table 9: argmax of every piece; listed facts only
);

-- What attention maps belong to: sentence_id 0 is the average over the dataset's sentences.
CREATE TABLE sentences (
    dataset VARCHAR NOT NULL, data_hash VARCHAR NOT NULL, vocab VARCHAR NOT NULL,
    sentence_id INTEGER NOT NULL, text VARCHAR NOT NULL, pieces VARCHAR[] NOT NULL
);

-- map: size x size bytes, row by row (query piece, key piece), round(255 * sqrt(probability)).
CREATE TABLE attention (
    run VARCHAR NOT NULL, step INTEGER NOT NULL, dataset VARCHAR NOT NULL, seed INTEGER NOT NULL,
    sentence_id INTEGER NOT NULL, layer UTINYINT NOT NULL, head USMALLINT NOT NULL,
    size USMALLINT NOT NULL,
    map BLOB NOT NULL USING COMPRESSION uncompressed            -- a head is read alone, and added to at every commit
);

-- What a model would put in the place of each [MASK] of a sentence that a user asked: the evaluation of the task
-- 'cloze' whose dataset is the text.
CREATE TABLE cloze (
    run VARCHAR NOT NULL, step INTEGER NOT NULL,
    text VARCHAR NOT NULL, position USMALLINT NOT NULL,        -- which mask of the text, from 1
    tokens UINTEGER[10] NOT NULL, logps FLOAT[10] NOT NULL     -- top 10 of the whole vocabulary; 3 decimals
);

-- Published numbers to hold one's own against; baselines.sql fills in the paper's.
CREATE TABLE baselines (
    name VARCHAR NOT NULL,                -- whose number
    task VARCHAR NOT NULL, metric VARCHAR NOT NULL, label VARCHAR NOT NULL,
    step INTEGER,                         -- NULL where it belongs to no step
    value DOUBLE NOT NULL,
    source VARCHAR NOT NULL               -- where it was published
);
