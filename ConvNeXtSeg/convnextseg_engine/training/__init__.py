"""Recipes, fine-tuning, evaluation and the gate that judges a candidate."""
