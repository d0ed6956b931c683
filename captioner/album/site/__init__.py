"""Pages of a site in HTML and Markdown: which pictures lack an alternative text, and the text put there."""
