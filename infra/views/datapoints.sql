-- A row for each data point of the newest run of a document. A message carries the surest ones, up to MAX_ANNOUNCED of
-- shared/documents/completion.py; Firestore has them all.
SELECT
  document, run, bucket, name, folder, organisation, year, announced_at,
  JSON_VALUE(figure, '$.datapoint') AS datapoint,
  LAX_FLOAT64(figure.value) AS value,
  JSON_VALUE(figure, '$.unit') AS unit,
  JSON_VALUE(figure, '$.period') AS period,
  LAX_INT64(figure.page) AS page,
  LAX_FLOAT64(figure.confidence) AS confidence
FROM `${dataset}.documents`, UNNEST(datapoints) AS figure
