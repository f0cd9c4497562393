"""The questions that ``query.Reader`` asks, over the documented tables and views. Text alone."""

RUNS = """
SELECT run, family, objective, total_steps, layers, heads, hidden, parameters, recipe, corpus, source,
       (SELECT coalesce(list(step ORDER BY step), []) FROM checkpoints AS c WHERE c.run = runs.run) AS steps
FROM runs ORDER BY run
"""

COVERAGE = """
SELECT run, task, dataset, protocol, seed, done, failed, checkpoints, last_step
FROM coverage ORDER BY run, task, dataset, protocol, seed
"""

CURVES = """
SELECT run, task, dataset, protocol, seed, metric, label, layer, head,
       list(step) AS steps, list(coalesce(value, 'nan')) AS "values",
       list(coalesce(stderr, 'nan')) AS stderrs, arg_max(n, step) AS n
FROM curve WHERE {where}
GROUP BY run, task, dataset, protocol, seed, metric, label, layer, head
ORDER BY run, task, dataset, protocol, seed, metric, label, layer, head
"""

WORD_CURVES = """
SELECT run, task, dataset, protocol, seed, 'accuracy' AS metric, label,
       NULL::INTEGER AS layer, NULL::INTEGER AS head,
       list(step) AS steps, list(coalesce(value, 'nan')) AS "values",
       list(coalesce(stderr, 'nan')) AS stderrs, arg_max(n, step) AS n
FROM {view} WHERE {where}
GROUP BY run, task, dataset, protocol, seed, label
ORDER BY run, task, dataset, protocol, seed, label
"""

BIRTHS = """
SELECT run, label, step, after, final, n
FROM word_birth WHERE {where}
ORDER BY run, step NULLS LAST, label
"""

RELATIONS = """
WITH last AS (
    SELECT dataset, max({'step': step, 'run': run, 'seed': seed}) AS at
    FROM evaluations WHERE task = 'lama' AND status = 'done' GROUP BY dataset),
counts AS (
    SELECT l.dataset, f.relation, count(DISTINCT l.fact_id) AS facts
    FROM lama AS l
    JOIN last ON l.dataset = last.dataset
        AND l.run = last.at.run AND l.step = last.at.step AND l.seed = last.at.seed
    JOIN facts AS f USING (fact_id)
    GROUP BY l.dataset, f.relation)
SELECT r.dataset, r.relation, r.template, r.type, r.name, coalesce(c.facts, 0)
FROM relations AS r LEFT JOIN counts AS c USING (dataset, relation)
ORDER BY r.dataset, r.relation
"""

#: The ``k``-th prediction to each fact of ``lama AS l``. A list becomes a Python object a row; numbers one by
#: one become arrays.
PREDICTION = ", l.tokens[{k}] AS token{k}, l.logps[{k}] AS logp{k}"

LAMA_SHOWN = """
SELECT e.dataset, e.seed, max(e.step) AS step
FROM evaluations AS e JOIN relations AS r USING (dataset)
WHERE e.task = 'lama' AND e.status = 'done' AND e.run = $1 AND r.relation = $2 AND e.step <= $3
  AND ($4 IS NULL OR e.dataset = $4)
GROUP BY e.dataset, e.seed ORDER BY e.dataset, e.seed LIMIT 1
"""

FACTS_AT = """
SELECT l.fact_id, f.subject, f.object, l.gold_rank, l.gold_logp{predictions}
FROM lama AS l JOIN facts AS f USING (fact_id)
WHERE l.run = $1 AND l.step = $2 AND l.dataset = $3 AND l.seed = $4 AND f.relation = $5
ORDER BY l.fact_id
"""

FACT = """
SELECT DISTINCT e.dataset, e.seed, f.relation, r.template, f.subject, f.object
FROM facts AS f
JOIN relations AS r USING (relation)
JOIN evaluations AS e ON e.dataset = r.dataset AND e.task = 'lama' AND e.status = 'done' AND e.run = $1
WHERE f.fact_id = $2
ORDER BY e.dataset, e.seed
"""

BIOGRAPHY = """
SELECT l.step, l.gold_rank, l.gold_logp{predictions}, l.echo
FROM lama AS l
WHERE l.run = $1 AND l.fact_id = $2 AND l.dataset = $3 AND l.seed = $4
ORDER BY l.step
"""

LEDGER_SHOWN = """
SELECT dataset, seed, max(step) FILTER (step <= $2) AS a, max(step) FILTER (step <= $3) AS b
FROM evaluations WHERE task = 'lama' AND status = 'done' AND run = $1
GROUP BY dataset, seed HAVING a IS NOT NULL AND b IS NOT NULL ORDER BY dataset, seed
"""

LEDGER = """
SELECT a.fact_id, f.relation, f.subject, f.object, if(b.gold_rank = 1, 'learned', 'forgotten') AS change,
       coalesce(va.token, '#' || a.tokens[1]) AS answer_a, coalesce(vb.token, '#' || b.tokens[1]) AS answer_b
FROM lama AS a
JOIN lama AS b USING (run, dataset, seed, fact_id)
JOIN facts AS f USING (fact_id)
JOIN checkpoints AS ca ON ca.run = a.run AND ca.step = a.step
JOIN checkpoints AS cb ON cb.run = b.run AND cb.step = b.step
LEFT JOIN vocabularies AS va ON va.vocab = ca.vocab AND va.token_id = a.tokens[1]
LEFT JOIN vocabularies AS vb ON vb.vocab = cb.vocab AND vb.token_id = b.tokens[1]
WHERE a.run = $run AND b.run = $run AND a.step = $a AND b.step = $b
  AND a.dataset = $dataset AND b.dataset = $dataset AND a.seed = $seed AND b.seed = $seed
  AND (a.gold_rank = 1) <> (b.gold_rank = 1) AND ($relation IS NULL OR f.relation = $relation)
ORDER BY f.relation, change DESC, a.fact_id
"""

FACT_DYNAMICS = """
SELECT fact_id, subject, object, kind, first_right, n_right, steps
FROM fact_dynamics WHERE run = ? AND relation = ?
ORDER BY fact_id, dataset, seed
"""

ATTENTION_SENTENCES = """
SELECT s.dataset, s.sentence_id, arg_max(s.text, e.step), arg_max(s.pieces, e.step)
FROM evaluations AS e
JOIN checkpoints AS c USING (run, step)
JOIN sentences AS s ON s.dataset = e.dataset AND s.data_hash = e.data_hash AND s.vocab = c.vocab
WHERE e.run = ? AND e.task = 'attention' AND e.status = 'done'
GROUP BY s.dataset, s.sentence_id ORDER BY s.dataset, s.sentence_id
"""

ATTENTION_SHOWN = """
SELECT dataset, seed, max(step)
FROM evaluations
WHERE task = 'attention' AND status = 'done' AND run = $1 AND step <= $2 AND ($3 IS NULL OR dataset = $3)
GROUP BY dataset, seed ORDER BY dataset, seed LIMIT 1
"""

ATTENTION_AT = """
SELECT layer, head, size, map
FROM attention
WHERE run = $1 AND step = $2 AND dataset = $3 AND seed = $4 AND sentence_id = $5
"""

HEAD_FILM = """
WITH shown AS (
    SELECT dataset, seed FROM evaluations
    WHERE task = 'attention' AND status = 'done' AND run = $run AND ($dataset IS NULL OR dataset = $dataset)
    ORDER BY dataset, seed LIMIT 1)
SELECT step, size, map
FROM attention JOIN shown USING (dataset, seed)
WHERE run = $run AND layer = $layer AND head = $head AND sentence_id = $sentence_id
ORDER BY step
"""

HEAD_STATISTIC = """
SELECT step, layer, head, value FROM attention_stats WHERE run = ? AND metric = ?
"""

HEAD_STATISTICS = """
SELECT DISTINCT metric FROM attention_stats WHERE run = ? ORDER BY metric
"""

TOKENS = """
SELECT token_id, token
FROM vocabularies
WHERE vocab = (SELECT arg_max(vocab, step) FROM checkpoints WHERE run = $1)
  AND token_id IN (SELECT unnest($2::UINTEGER[]))
"""
