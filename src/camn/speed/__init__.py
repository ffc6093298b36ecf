"""What a network costs as the work grows: points to measure, what was measured, tables, a plot, targets."""
