"""How often the shipped model is right, beside baselines, on sentences that no training saw."""
