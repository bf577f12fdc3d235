"""The algebra: expressions, the rules that rewrite them, and simplification with its steps kept."""
