-- What follows from the tables: the public interface, documented with an example each in docs/sql.md.
-- Views rather than macros wherever both serve: a macro is not found under ATTACH … AS name without USE.

-- One row a number: metrics, and the training log as the task 'train-log'.
CREATE OR REPLACE VIEW curve AS
SELECT run, step, task, dataset, protocol, seed, metric, label, layer, head, value, n, stderr, low, high
FROM metrics
UNION ALL
SELECT run, step, 'train-log', '', 'paper', 0, metric, 'all', NULL, NULL, value, NULL, NULL, NULL, NULL
FROM train_log;

-- Every value over the last one of its own curve (section 3: "rescaled accuracy").
CREATE OR REPLACE VIEW curve_rescaled AS
SELECT run, step, task, dataset, protocol, seed, metric, label, layer, head,
       value / nullif(final, 0) AS value, n, stderr / nullif(abs(final), 0) AS stderr, final
FROM (
    SELECT *, last_value(value IGNORE NULLS) OVER (
        PARTITION BY run, task, dataset, protocol, seed, metric, label, layer, head
        ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS final
    FROM curve);

-- Mean of three consecutive points, as in figures 2 and 3; of two at either end.
CREATE OR REPLACE VIEW curve_smooth AS
SELECT run, step, task, dataset, protocol, seed, metric, label, layer, head,
       avg(value) OVER (
           PARTITION BY run, task, dataset, protocol, seed, metric, label, layer, head
           ORDER BY step ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS value
FROM curve;

-- What a Penn tag belongs to: table 3's groups, table 4's verb forms, function and content words.
CREATE OR REPLACE VIEW pos_groups AS
SELECT 'group' AS grouping, label, unnest(tags) AS tag FROM (VALUES
    ('conjunction', ['CC']), ('determiner', ['DT']), ('preposition', ['IN']),
    ('adjective', ['JJ', 'JJR', 'JJS']), ('adverb', ['RB', 'RBR', 'RBS']),
    ('verb', ['VB', 'VBD', 'VBG', 'VBN', 'VBP', 'VBZ']),
    ('noun', ['NN', 'NNS']), ('proper noun', ['NNP', 'NNPS'])) AS groups(label, tags)
UNION ALL
SELECT 'form', label, unnest(tags) FROM (VALUES
    ('base form', ['VB']), ('past tense', ['VBD']), ('gerund or present participle', ['VBG']),
    ('past participle', ['VBN']), ('3rd person singular present', ['VBZ'])) AS forms(label, tags)
UNION ALL
SELECT 'class', label, unnest(tags) FROM (VALUES
    ('function', ['CC', 'DT', 'EX', 'IN', 'MD', 'PDT', 'POS', 'PRP', 'PRP$', 'RP', 'TO',
                  'WDT', 'WP', 'WP$', 'WRB']),
    ('content', ['ADD', 'AFX', 'CD', 'FW', 'JJ', 'JJR', 'JJS', 'NN', 'NNS', 'NNP', 'NNPS',
                 'RB', 'RBR', 'RBS', 'UH', 'VB', 'VBD', 'VBG', 'VBN', 'VBP', 'VBZ']),
    ('punctuation', ['$', '''''', '``', ',', '-LRB-', '-RRB-', '.', ':', '#', 'HYPH', 'LS', 'NFP', 'SYM']))
    AS classes(label, tags);

-- Accuracy per tag, and per group of tags: means over words, so tags are weighted by n.
-- A label with a space in it is no tag (frequency bands: 'rank 50-99').
CREATE OR REPLACE VIEW word_curve AS
SELECT run, step, task, dataset, protocol, seed, 'tag' AS grouping, label, value, n, stderr
FROM metrics
WHERE metric = 'accuracy' AND label <> 'all' AND layer IS NULL AND NOT contains(label, ' ')
UNION ALL
SELECT m.run, m.step, m.task, m.dataset, m.protocol, m.seed, g.grouping, g.label,
       sum(m.value * m.n) / sum(m.n) AS value,
       sum(m.n)::INTEGER AS n,
       CASE WHEN count(m.stderr) = count(*) THEN sqrt(sum((m.n * m.stderr) ** 2)) / sum(m.n) END AS stderr
FROM metrics AS m JOIN pos_groups AS g ON g.tag = m.label
WHERE m.metric = 'accuracy' AND m.layer IS NULL AND m.value IS NOT NULL AND m.n > 0
GROUP BY m.run, m.step, m.task, m.dataset, m.protocol, m.seed, g.grouping, g.label;

CREATE OR REPLACE VIEW word_curve_rescaled AS
SELECT run, step, task, dataset, protocol, seed, grouping, label,
       value / nullif(final, 0) AS value, n, stderr / nullif(final, 0) AS stderr, final
FROM (
    SELECT *, last_value(value IGNORE NULLS) OVER (
        PARTITION BY run, task, dataset, protocol, seed, grouping, label
        ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS final
    FROM word_curve);

-- When a curve first reaches `percent` % of its final value; `after` is the evaluated step before that one. What
-- lies below by less than rounding can do (1e-12) has reached it: 0.2 is half of the mean 0.4000000000000001.
CREATE OR REPLACE VIEW birth_step AS
SELECT run, task, dataset, protocol, seed, metric, label, layer, head, percent,
       born.step AS step, born.after AS after, final, n
FROM (
    SELECT run, task, dataset, protocol, seed, metric, label, layer, head, percent,
           any_value(final) AS final, arg_max(n, step) AS n,
           min({'step': step, 'after': before}) FILTER (final > 0 AND value >= final * percent / 100 * (1 - 1e-12)) AS born
    FROM (
        SELECT *, last_value(value) OVER (whole ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS final,
               lag(step) OVER whole AS before
        FROM curve WHERE value IS NOT NULL
        WINDOW whole AS (
            PARTITION BY run, task, dataset, protocol, seed, metric, label, layer, head ORDER BY step)
    ), (SELECT unnest(range(1, 101))::INTEGER AS percent)
    GROUP BY run, task, dataset, protocol, seed, metric, label, layer, head, percent);

-- The same for tags and groups of tags.
CREATE OR REPLACE VIEW word_birth AS
SELECT run, task, dataset, protocol, seed, grouping, label, percent,
       born.step AS step, born.after AS after, final, n
FROM (
    SELECT run, task, dataset, protocol, seed, grouping, label, percent,
           any_value(final) AS final, arg_max(n, step) AS n,
           min({'step': step, 'after': before}) FILTER (final > 0 AND value >= final * percent / 100 * (1 - 1e-12)) AS born
    FROM (
        SELECT *, last_value(value) OVER (whole ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS final,
               lag(step) OVER whole AS before
        FROM word_curve WHERE value IS NOT NULL
        WINDOW whole AS (PARTITION BY run, task, dataset, protocol, seed, grouping, label ORDER BY step)
    ), (SELECT unnest(range(1, 101))::INTEGER AS percent)
    GROUP BY run, task, dataset, protocol, seed, grouping, label, percent);

-- From `step` up to, but without, `until` this evaluation is the nearest earlier one (`until` NULL: for ever).
CREATE OR REPLACE VIEW evaluated_span AS
SELECT run, task, dataset, protocol, seed, step,
       lead(step) OVER (PARTITION BY run, task, dataset, protocol, seed ORDER BY step) AS until
FROM evaluations
WHERE status = 'done';

-- Every number at a step or, where a run has none there, at the nearest earlier step.
CREATE OR REPLACE MACRO at_step(s) AS TABLE
SELECT m.run, m.step, m.task, m.dataset, m.protocol, m.seed, m.metric, m.label, m.layer, m.head,
       m.value, m.n, m.stderr, m.low, m.high
FROM metrics AS m JOIN evaluated_span AS e USING (run, step, task, dataset, protocol, seed)
WHERE e.step <= s AND (e.until IS NULL OR e.until > s)
UNION ALL
SELECT run, max(step), 'train-log', '', 'paper', 0, metric, 'all', NULL, NULL, arg_max(value, step),
       NULL, NULL, NULL, NULL
FROM train_log WHERE step <= s
GROUP BY run, metric;

-- P@1 of every relation, from the answers themselves; `_common`: among the common vocabulary (protocol lama).
CREATE OR REPLACE VIEW lama_p1 AS
SELECT l.run, l.step, l.dataset, l.seed, f.relation, count(*) AS n, count_if(l.gold_rank = 1) AS n_right,
       avg((l.gold_rank = 1)::INTEGER) AS p1, avg((l.gold_rank <= 10)::INTEGER) AS p10,
       avg(1 / l.gold_rank) AS mrr,
       count(l.gold_rank_common) AS n_common, avg((l.gold_rank_common = 1)::INTEGER) AS p1_common,
       avg((l.gold_rank_common <= 10)::INTEGER) AS p10_common, avg(1 / l.gold_rank_common) AS mrr_common
FROM lama AS l JOIN facts AS f USING (fact_id)
GROUP BY l.run, l.step, l.dataset, l.seed, f.relation;

-- The ten best answers to every fact, as text: `place` 1 is the answer given.
CREATE OR REPLACE VIEW lama_top AS
SELECT l.run, l.step, l.dataset, l.seed, l.fact_id, f.relation, f.subject, f.object,
       l.place, v.token, l.logp
FROM (
    SELECT run, step, dataset, seed, fact_id, unnest(range(1, 11))::INTEGER AS place,
           unnest(tokens::UINTEGER[]) AS token_id, unnest(logps::FLOAT[]) AS logp
    FROM lama) AS l
JOIN facts AS f USING (fact_id)
JOIN checkpoints AS c USING (run, step)
LEFT JOIN vocabularies AS v ON v.vocab = c.vocab AND v.token_id = l.token_id;

-- A fact at every step of a run: was it right, and what was answered instead.
CREATE OR REPLACE VIEW fact_history AS
SELECT l.run, l.dataset, l.seed, l.fact_id, f.relation, f.subject, f.object, l.step,
       l.gold_rank = 1 AS is_right, l.gold_rank, l.gold_logp, v.token AS answer
FROM lama AS l
JOIN facts AS f USING (fact_id)
JOIN checkpoints AS c USING (run, step)
LEFT JOIN vocabularies AS v ON v.vocab = c.vocab AND v.token_id = l.tokens[1];

-- How the answers to a fact behaved over a run; docs/sql.md defines the kinds. Counted first, by step; what is
-- left, a row a fact, is then told by the places of its steps among all.
CREATE OR REPLACE VIEW fact_dynamics AS
WITH places AS (
    SELECT run, dataset, seed, step, row_number() OVER (PARTITION BY run, dataset, seed ORDER BY step) AS place,
           count(*) OVER (PARTITION BY run, dataset, seed) AS of_steps
    FROM (SELECT DISTINCT run, dataset, seed, step FROM evaluations WHERE task = 'lama' AND status = 'done')
), counted AS (
    SELECT l.run, l.dataset, l.seed, l.fact_id, r.relation,
           count(*) AS steps, count_if(l.gold_rank = 1) AS n_right,
           min(l.step) FILTER (l.gold_rank = 1) AS first_right, max(l.step) FILTER (l.gold_rank = 1) AS last_right
    FROM lama AS l
    -- Joined here already, so that a question about one relation counts its facts alone.
    JOIN facts AS r USING (fact_id)
    GROUP BY l.run, l.dataset, l.seed, l.fact_id, r.relation
)
SELECT c.run, c.dataset, c.seed, c.fact_id, c.relation, f.subject, f.object,
       CASE
           WHEN n_right = 0 THEN 'never learned'
           WHEN n_right = steps THEN 'static'
           WHEN e.place <= e.of_steps - ceil(e.of_steps / 10) THEN 'forgotten'
           WHEN e.place = e.of_steps AND n_right >= 0.8 * (e.of_steps - b.place + 1) THEN 'learned'
           ELSE 'oscillating'
       END AS kind,
       first_right, n_right, steps
FROM counted AS c
JOIN facts AS f USING (fact_id, relation)
LEFT JOIN places AS b
    ON (b.run, b.dataset, b.seed, b.step) = (c.run, c.dataset, c.seed, c.first_right)
LEFT JOIN places AS e
    ON (e.run, e.dataset, e.seed, e.step) = (c.run, c.dataset, c.seed, c.last_right);

-- Attention as probabilities: matrix[query][key], both from 1.
CREATE OR REPLACE VIEW attention_matrix AS
SELECT run, step, dataset, seed, sentence_id, layer, head, size,
       list_transform(range(size), lambda q: list_transform(range(size), lambda k:
           ((('0x' || hex(map)[2 * (q * size + k) + 1 : 2 * (q * size + k) + 2])::INTEGER / 255.0) ** 2)::FLOAT)) AS matrix
FROM attention;

-- One number a head: shares of attention mass, entropy … as the attention task measured them.
CREATE OR REPLACE VIEW attention_stats AS
SELECT run, step, dataset, protocol, seed, metric, layer, head, value, n, stderr
FROM metrics
WHERE task = 'attention' AND head IS NOT NULL;

-- What is evaluated and what is missing, of the checkpoints that the store knows.
CREATE OR REPLACE VIEW coverage AS
SELECT e.run, e.task, e.dataset, e.protocol, e.seed,
       count_if(e.status = 'done') AS done, count_if(e.status = 'failed') AS failed,
       any_value(c.checkpoints) - count(*) AS missing, any_value(c.checkpoints) AS checkpoints,
       max(e.step) FILTER (e.status = 'done') AS last_step
FROM evaluations AS e JOIN (SELECT run, count(*) AS checkpoints FROM checkpoints GROUP BY run) AS c USING (run)
GROUP BY e.run, e.task, e.dataset, e.protocol, e.seed;

-- Checkpoints at which a task was not done that is done elsewhere: what a further evaluation would fill in.
CREATE OR REPLACE VIEW unevaluated AS
WITH done AS (
    SELECT run, step, task, dataset, protocol, seed FROM evaluations WHERE status = 'done'
), wanted AS (
    SELECT run, step, task, dataset, protocol, seed
    FROM checkpoints CROSS JOIN (SELECT DISTINCT task, dataset, protocol, seed FROM done)
)
SELECT * FROM wanted ANTI JOIN done USING (run, step, task, dataset, protocol, seed);

-- One row a probe's number: figures 2b, 3, 10, 11. Layer 0 is the embeddings.
CREATE OR REPLACE VIEW probe_curve AS
SELECT run, step, task[7:] AS probe, dataset, protocol, seed, layer, metric, label, value, n, stderr, low, high
FROM metrics
WHERE starts_with(task, 'probe-') AND metric <> 'mistakes';

-- What was taken for what: how often a probe gave `predicted` where `gold` was right.
CREATE OR REPLACE VIEW confusion AS
SELECT run, step, task, dataset, protocol, seed, layer,
       split_part(label, ' → ', 1) AS gold, split_part(label, ' → ', 2) AS predicted, value::BIGINT AS n,
       n AS n_gold
FROM metrics
WHERE metric = 'mistakes' AND contains(label, ' → ');

-- GLUE's tasks in the metrics of figure 5 (section 5), and SQuAD 2.0 as in figure 12; in percent.
CREATE OR REPLACE VIEW glue_task AS
SELECT run, step, task[6:] AS task, dataset, protocol, seed,
       100 * coalesce(avg(value) FILTER (label IN ('matched', 'mismatched')),
                      avg(value) FILTER (label = 'all')) AS value
FROM metrics
WHERE starts_with(task, 'glue-') AND layer IS NULL AND label IN ('all', 'matched', 'mismatched')
  AND metric = CASE WHEN task IN ('glue-mrpc', 'glue-qqp') THEN 'f1' WHEN task = 'glue-stsb' THEN 'spearman'
                    ELSE 'accuracy' END
GROUP BY run, step, metrics.task, dataset, protocol, seed
UNION ALL
SELECT run, step, 'squad2', dataset, protocol, seed, 100 * avg(value)
FROM metrics
WHERE task = 'squad2' AND metric IN ('em', 'f1') AND label = 'all'
GROUP BY run, step, dataset, protocol, seed HAVING count(*) = 2;

-- Unweighted mean over the eight tasks without WNLI, in percent; NULL as long as one of them is missing.
CREATE OR REPLACE VIEW glue_score AS
SELECT run, step, protocol, seed, CASE WHEN count(*) = 8 THEN avg(value) END AS score,
       list(task ORDER BY task) AS tasks
FROM glue_task
WHERE task IN ('cola', 'sst2', 'mrpc', 'stsb', 'qqp', 'mnli', 'qnli', 'rte')
GROUP BY run, step, protocol, seed;

-- The ten best words for each mask of a sentence that a user asked: `place` 1 is the answer given.
CREATE OR REPLACE VIEW cloze_top AS
SELECT a.run, a.step, a.text, a.position, a.place, v.token, a.logp
FROM (
    SELECT run, step, text, position, unnest(range(1, 11))::INTEGER AS place,
           unnest(tokens::UINTEGER[]) AS token_id, unnest(logps::FLOAT[]) AS logp
    FROM cloze) AS a
JOIN checkpoints AS c USING (run, step)
LEFT JOIN vocabularies AS v ON v.vocab = c.vocab AND v.token_id = a.token_id;

-- Every point of a curve against its neighbours: `jump` is how far it lies beyond both of them (0 where it lies
-- between them), `usual` the median step from one point to the next. Whole datasets and single layers only.
CREATE OR REPLACE VIEW curve_jump AS
SELECT run, step, task, dataset, protocol, seed, metric, layer, value, before, afterwards,
       CASE WHEN (value > before) = (value > afterwards)
            THEN least(abs(value - before), abs(value - afterwards)) ELSE 0 END AS jump,
       usual
FROM (
    SELECT *, median(abs(value - before)) OVER (
        PARTITION BY run, task, dataset, protocol, seed, metric, layer) AS usual
    FROM (
        SELECT run, step, task, dataset, protocol, seed, metric, layer, value,
               lag(value) OVER along AS before, lead(value) OVER along AS afterwards
        FROM metrics
        WHERE label = 'all' AND head IS NULL AND value IS NOT NULL
        WINDOW along AS (PARTITION BY run, task, dataset, protocol, seed, metric, layer ORDER BY step)))
WHERE before IS NOT NULL AND afterwards IS NOT NULL;

-- Steps at which several curves at once lie far (5 times the usual step) beyond both neighbours: at least three
-- curves, of two metrics or tasks, and a quarter of all. A wrong file under a step's name looks like this.
CREATE OR REPLACE VIEW suspect_checkpoints AS
SELECT run, step, count_if(far) AS curves_far, count(*) AS curves, max(jump / nullif(usual, 0)) AS strongest,
       list(DISTINCT task || ' ' || metric ORDER BY task || ' ' || metric) FILTER (far) AS metrics
FROM (SELECT *, jump > 5 * usual AS far FROM curve_jump)
GROUP BY run, step
HAVING curves_far >= 3 AND curves_far >= 0.25 * curves AND len(metrics) >= 2;

-- Steps worth jumping to, on curves of whole datasets and layers that end elsewhere than they began (by more than
-- 5 times the usual step). docs/sql.md defines the kinds; suspect checkpoints stand among them.
CREATE OR REPLACE VIEW events AS
WITH points AS (
    SELECT run, step, task, dataset, protocol, seed, metric, layer, value,
           first_value(value) OVER whole AS origin, last_value(value) OVER whole AS final,
           abs(value - lag(value) OVER along) AS moved
    FROM curve
    WHERE label = 'all' AND head IS NULL AND value IS NOT NULL
    WINDOW along AS (PARTITION BY run, task, dataset, protocol, seed, metric, layer ORDER BY step),
           whole AS (PARTITION BY run, task, dataset, protocol, seed, metric, layer ORDER BY step
                     ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
), way AS (
    -- The share of the way from where the curve began to where it ended.
    SELECT *, (value - origin) / (final - origin) AS share
    FROM points
    WHERE final <> origin
    QUALIFY abs(final - origin) > 5 * median(moved) OVER (
        PARTITION BY run, task, dataset, protocol, seed, metric, layer)
), fallen AS (
    SELECT *, max(share) OVER (
        PARTITION BY run, task, dataset, protocol, seed, metric, layer ORDER BY step) - share AS depth
    FROM way
), found AS (
    SELECT run, task, dataset, protocol, seed, metric, layer,
           min({'step': step, 'value': value}) FILTER (share >= 0.1) AS onset,
           max(step) FILTER (share < 0.9) AS unsettled,
           max({'depth': depth, 'step': step, 'value': value}) AS dip,
           max({'share': share, 'step': -step, 'value': value}) AS best
    FROM fallen
    GROUP BY run, task, dataset, protocol, seed, metric, layer
)
SELECT run, onset.step AS step, 'onset' AS kind, task, dataset, protocol, seed, metric, layer, onset.value AS value
FROM found WHERE onset IS NOT NULL
UNION ALL
SELECT f.run, min(w.step), 'plateau', f.task, f.dataset, f.protocol, f.seed, f.metric, f.layer, arg_min(w.value, w.step)
FROM found AS f JOIN way AS w
ON (f.run, f.task, f.dataset, f.protocol, f.seed, f.metric) = (w.run, w.task, w.dataset, w.protocol, w.seed, w.metric)
   AND f.layer IS NOT DISTINCT FROM w.layer AND w.step > f.unsettled
GROUP BY ALL
UNION ALL
SELECT run, dip.step, 'dip', task, dataset, protocol, seed, metric, layer, dip.value
FROM found WHERE dip.depth > 0.1
UNION ALL
SELECT run, -best.step, 'best', task, dataset, protocol, seed, metric, layer, best.value
FROM found
UNION ALL
SELECT run, step, 'suspect', NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM suspect_checkpoints;
