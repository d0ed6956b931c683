"""The mechanisms that are compared, and how their trainings run side by side."""
