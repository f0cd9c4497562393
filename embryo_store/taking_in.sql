-- Takes everything of the attached store `other` into this one: reference rows where they are absent, ranks of words
-- and results in the place of those under the same keys. The temporary views `other_…` are its tables, runs renamed.

INSERT OR REPLACE INTO runs SELECT * FROM other_runs;
INSERT OR REPLACE INTO checkpoints SELECT * FROM other_checkpoints;
INSERT INTO vocabularies SELECT * FROM other_vocabularies
WHERE vocab NOT IN (SELECT DISTINCT vocab FROM vocabularies);
INSERT INTO words SELECT o.* FROM other_words AS o
ANTI JOIN (SELECT DISTINCT dataset, data_hash FROM words) AS known USING (dataset, data_hash);
UPDATE words AS t SET rank = o.rank FROM other_words AS o
WHERE (t.dataset, t.data_hash, t.word_id) = (o.dataset, o.data_hash, o.word_id) AND t.rank <> o.rank;
INSERT INTO datasets SELECT o.* FROM other_datasets AS o ANTI JOIN datasets AS known USING (dataset, data_hash);
INSERT OR REPLACE INTO relations SELECT * FROM other_relations;
INSERT INTO sentences SELECT o.* FROM other_sentences AS o
ANTI JOIN sentences AS known USING (dataset, data_hash, vocab, sentence_id);
INSERT INTO facts
SELECT (SELECT coalesce(max(fact_id), 0) FROM facts) + row_number() OVER (ORDER BY o.fact_id),
       o.relation, o.subject, o.object, o.uuid
FROM other_facts AS o ANTI JOIN facts AS known USING (relation, subject, object);

INSERT INTO baselines
SELECT o.* FROM other_baselines AS o ANTI JOIN baselines AS known
ON (o.name, o.task, o.metric, o.label) = (known.name, known.task, known.metric, known.label)
   AND o.step IS NOT DISTINCT FROM known.step;

DELETE FROM metrics AS t USING other_evaluations AS o
WHERE (t.run, t.step, t.task, t.dataset, t.protocol, t.seed) = (o.run, o.step, o.task, o.dataset, o.protocol, o.seed);
DELETE FROM outcomes AS t USING other_evaluations AS o
WHERE (t.run, t.step, t.task, t.dataset, t.protocol, t.seed) = (o.run, o.step, o.task, o.dataset, o.protocol, o.seed);
DELETE FROM evaluations AS t USING other_evaluations AS o
WHERE (t.run, t.step, t.task, t.dataset, t.protocol, t.seed) = (o.run, o.step, o.task, o.dataset, o.protocol, o.seed);
DELETE FROM lama AS t USING (SELECT DISTINCT run, step, dataset, seed FROM other_lama) AS o
WHERE (t.run, t.step, t.dataset, t.seed) = (o.run, o.step, o.dataset, o.seed);
DELETE FROM attention AS t USING (SELECT DISTINCT run, step, dataset, seed FROM other_attention) AS o
WHERE (t.run, t.step, t.dataset, t.seed) = (o.run, o.step, o.dataset, o.seed);
DELETE FROM train_log AS t USING (SELECT DISTINCT run, checkpoint FROM other_train_log) AS o
WHERE (t.run, t.checkpoint) = (o.run, o.checkpoint);
DELETE FROM cloze AS t USING (SELECT DISTINCT run, step, text FROM other_cloze) AS o
WHERE (t.run, t.step, t.text) = (o.run, o.step, o.text);

INSERT INTO evaluations SELECT * FROM other_evaluations;
INSERT INTO metrics SELECT * FROM other_metrics;
INSERT INTO outcomes SELECT * FROM other_outcomes;
INSERT INTO train_log SELECT * FROM other_train_log;
INSERT INTO attention SELECT * FROM other_attention;
INSERT INTO cloze SELECT * FROM other_cloze;
INSERT INTO lama
SELECT l.* REPLACE (here.fact_id AS fact_id)
FROM other_lama AS l
JOIN other_facts AS there ON there.fact_id = l.fact_id
JOIN facts AS here
    ON here.relation = there.relation AND here.subject = there.subject AND here.object = there.object
ORDER BY l.run, l.step, here.fact_id;

-- What a task's protocols share has lost its last owner where a failure replaced it.
DELETE FROM lama AS t USING other_evaluations AS o
WHERE o.task = 'lama' AND o.status = 'failed'
  AND (t.run, t.step, t.dataset, t.seed) = (o.run, o.step, o.dataset, o.seed)
  AND NOT EXISTS (FROM evaluations AS e WHERE e.task = 'lama' AND e.status = 'done'
                  AND (t.run, t.step, t.dataset, t.seed) = (e.run, e.step, e.dataset, e.seed));
DELETE FROM attention AS t USING other_evaluations AS o
WHERE o.task = 'attention' AND o.status = 'failed'
  AND (t.run, t.step, t.dataset, t.seed) = (o.run, o.step, o.dataset, o.seed)
  AND NOT EXISTS (FROM evaluations AS e WHERE e.task = 'attention' AND e.status = 'done'
                  AND (t.run, t.step, t.dataset, t.seed) = (e.run, e.step, e.dataset, e.seed));
DELETE FROM train_log AS t USING other_evaluations AS o
WHERE o.task = 'train-log' AND o.status = 'failed' AND (t.run, t.checkpoint) = (o.run, o.step)
  AND NOT EXISTS (FROM evaluations AS e WHERE e.task = 'train-log' AND e.status = 'done'
                  AND (t.run, t.checkpoint) = (e.run, e.step));
DELETE FROM cloze AS t USING other_evaluations AS o
WHERE o.task = 'cloze' AND o.status = 'failed' AND (t.run, t.step, t.text) = (o.run, o.step, o.dataset)
  AND NOT EXISTS (FROM evaluations AS e WHERE e.task = 'cloze' AND e.status = 'done'
                  AND (t.run, t.step, t.text) = (e.run, e.step, e.dataset));
