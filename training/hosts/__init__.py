"""One training by several processes, on one machine or many: who takes part, what they tell each other, who died."""
