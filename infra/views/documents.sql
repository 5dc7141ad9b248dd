-- Runs of a document count on; one that was erased and came again begins at 1, with a later generation.
SELECT * EXCEPT (name), name, SPLIT(name, '/')[SAFE_OFFSET(0)] AS folder
FROM `${dataset}.runs`
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY document
  ORDER BY CAST(generation AS INT64) DESC, run DESC
) = 1
