SELECT DATE(announced_at) AS day, folder, state, COUNT(*) AS documents
FROM `${dataset}.documents`
GROUP BY day, folder, state
