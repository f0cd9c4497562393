-- The numbers that "Pretrained Language Model Embryology: The Birth of ALBERT" (Chiang et al. 2020) prints.
-- Counts given as 116K stand as 116000. Each group is put in where a store lacks it, so this may run again.

CREATE OR REPLACE TEMP TABLE published AS
SELECT 'paper' AS name, task, metric, label, NULL::INTEGER AS step, value::DOUBLE AS value, 'table 2' AS source
FROM (VALUES
    ('pretraining', 'batch_size', 'albert-base', 512), ('pretraining', 'learning_rate', 'albert-base', 6.222539674e-4),
    ('pretraining', 'total_steps', 'albert-base', 1e6), ('pretraining', 'warmup_steps', 'albert-base', 25e3)
) AS t(task, metric, label, value)
UNION ALL
SELECT 'paper', 'pretraining', 'parameters', label, NULL, value, 'appendix B'
FROM (VALUES ('albert-base', 12e6), ('bert-base', 110e6), ('electra-base', 110e6)) AS t(label, value)
UNION ALL
SELECT 'paper', 'words', 'count', label, NULL, value, source
FROM (VALUES
    ('conjunction', 5109, 'table 3'), ('determiner', 14763, 'table 3'), ('preposition', 18059, 'table 3'),
    ('adjective', 9710, 'table 3'), ('adverb', 7992, 'table 3'), ('verb', 21405, 'table 3'),
    ('noun', 29544, 'table 3'), ('proper noun', 13144, 'table 3'),
    ('base form', 5865, 'table 4'), ('past tense', 5398, 'table 4'),
    ('gerund or present participle', 2821, 'table 4'), ('past participle', 3388, 'table 4'),
    ('3rd person singular present', 3933, 'table 4')
) AS t(label, value, source)
UNION ALL
SELECT 'paper', task, 'labels', 'all', NULL, labels, 'table 5'
FROM (VALUES ('probe-pos', 48), ('probe-const', 30), ('probe-srl', 66)) AS t(task, labels)
UNION ALL
SELECT 'paper', task, 'parameters', 'all', NULL, parameters, 'appendix D.1'
FROM (VALUES ('probe-pos', 38e3), ('probe-const', 24e3), ('probe-srl', 100e3)) AS t(task, parameters)
UNION ALL
SELECT 'paper', task, split || '_' || unit, 'all', NULL, value, 'table 5'
FROM (VALUES
    ('probe-pos', 'sentences', [116e3, 16e3, 12e3]), ('probe-pos', 'tokens', [2.2e6, 305e3, 230e3]),
    ('probe-pos', 'targets', [2.1e6, 290e3, 212e3]),
    ('probe-const', 'sentences', [116e3, 16e3, 12e3]), ('probe-const', 'tokens', [2.2e6, 305e3, 230e3]),
    ('probe-const', 'targets', [1.9e6, 255e3, 191e3]),
    ('probe-srl', 'sentences', [253e3, 35e3, 24e3]), ('probe-srl', 'tokens', [6.6e6, 934e3, 640e3]),
    ('probe-srl', 'targets', [599e3, 83e3, 56e3])
) AS t(task, unit, "values"), LATERAL (SELECT unnest(['train', 'dev', 'test']) AS split, unnest("values") AS value)
UNION ALL
SELECT 'paper', task, split || '_examples', 'all', NULL, value, 'table 6'
FROM (VALUES
    ('glue-mrpc', [3600, 400, 1700]), ('glue-rte', [2400, 200, 3000]), ('glue-stsb', [5700, 1500, 1300]),
    ('glue-qnli', [104e3, 5400, 5400]), ('glue-qqp', [363e3, 40400, 391e3]), ('glue-cola', [8500, 1000, 1100]),
    ('glue-mnli', [392700, 19600, 19600]), ('glue-sst2', [67400, 900, 1800]), ('squad2', [13300, 11900, 8900])
) AS t(task, "values"), LATERAL (SELECT unnest(['train', 'dev', 'test']) AS split, unnest("values") AS value)
UNION ALL
SELECT 'paper', task, metric, 'all', NULL, value, 'table 7'
FROM (VALUES
    ('glue-cola', [1e-5, 16, 5336, 320]), ('glue-stsb', [2e-5, 16, 3598, 214]), ('glue-sst2', [1e-5, 32, 20935, 1256]),
    ('glue-mnli', [3e-5, 128, 10000, 1000]), ('glue-qnli', [1e-5, 32, 33112, 1986]),
    ('glue-qqp', [5e-5, 128, 14000, 1000]), ('glue-rte', [3e-5, 32, 800, 200]), ('glue-mrpc', [2e-5, 32, 800, 200]),
    ('squad2', [3e-5, 48, 8144, 814])
) AS t(task, "values"), LATERAL (
    SELECT unnest(['learning_rate', 'batch_size', 'training_steps', 'warmup_steps', 'albert_dropout',
                   'classifier_dropout', 'maximum_length']) AS metric,
           unnest("values" || [0, 0.1, 512]) AS value)
UNION ALL
SELECT 'paper', 'lama', 'facts', label, NULL, value, 'table 8'
FROM (VALUES
    ('P140', 471), ('P103', 975), ('P276', 954), ('P176', 946), ('P264', 312), ('P30', 975), ('P138', 621),
    ('P279', 958), ('P131', 880), ('P407', 870), ('P36', 699), ('P159', 964), ('P17', 930), ('P495', 909),
    ('P20', 952), ('P136', 931), ('P740', 934), ('P1376', 230), ('P361', 861), ('P364', 852), ('P37', 952),
    ('P127', 683), ('P19', 942), ('P413', 952), ('P449', 874)
) AS t(label, value)
UNION ALL
SELECT 'paper albert-base', 'glue', 'score', 'all', step, value, 'section 5'
FROM (VALUES (250000, 80.23), (1000000, 81.50)) AS t(step, value);

INSERT INTO baselines (name, task, metric, label, step, value, source)
SELECT p.* REPLACE ('Chiang et al. 2020, ' || p.source AS source)
FROM published AS p ANTI JOIN baselines AS known USING (name, task, metric, label);
DROP TABLE published;
