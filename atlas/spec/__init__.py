"""What was asked: the configuration, the recipes and the plan of jobs."""
