"""Read formats made of markup: web pages, mail and electronic books."""
