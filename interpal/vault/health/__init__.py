"""What can be said of a vault and its surroundings: reports and findings."""
