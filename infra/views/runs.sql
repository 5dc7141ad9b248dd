-- A result may be announced more than once: the first announcement of each run counts.
SELECT
  JSON_VALUE(data, '$.document') AS document,
  INT64(data.run) AS run,
  JSON_VALUE(data, '$.bucket') AS bucket,
  JSON_VALUE(data, '$.name') AS name,
  JSON_VALUE(data, '$.generation') AS generation,
  JSON_VALUE(data, '$.state') AS state,
  JSON_VALUE(data, '$.model') AS model,
  JSON_VALUE(data, '$.organisation') AS organisation,
  LAX_INT64(data.year) AS year,
  LAX_INT64(data.initiatives) AS initiatives,
  LAX_INT64(data.incidents) AS incidents,
  JSON_QUERY_ARRAY(data, '$.datapoints') AS datapoints,
  publish_time AS announced_at
FROM `${dataset}.results`
WHERE JSON_VALUE(data, '$.document') IS NOT NULL
  AND NOT STARTS_WITH(JSON_VALUE(data, '$.name'), '.headrace-sample/') -- a deployment's
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY JSON_VALUE(data, '$.document'), JSON_VALUE(data, '$.generation'), INT64(data.run)
  ORDER BY publish_time
) = 1
