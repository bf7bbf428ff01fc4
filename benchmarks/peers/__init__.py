"""What Runmart is measured against: scripts for an environment of their own, which share nothing with Runmart but the clock."""
