"""How often figures get their right ESRS data point, of labels of reports that were judged by hand."""
