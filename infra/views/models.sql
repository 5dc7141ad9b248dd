SELECT DATE(announced_at) AS day, model, COUNT(*) AS runs, COUNT(DISTINCT document) AS documents
FROM `${dataset}.runs`
WHERE state = 'completed'
GROUP BY day, model
